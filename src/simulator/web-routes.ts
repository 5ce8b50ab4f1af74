import type { FaultControl } from './faults.ts';
import { encodeFetchResult } from './frame.ts';
import { GIFTS } from './gift-catalogue.ts';
import type { HandleState } from './handles.ts';
import { SIMULATED_ROOM_INFO_FIELD } from './marker.ts';
import type { Room } from './room.ts';

/** What the routes look at: who is live, and which faults are on. */
export interface RouteContext {
  /** The state of a handle; undefined when nobody has it. */
  handleState(handle: string): HandleState | undefined;
  /** The handle's stream, also for a while after its end; undefined when there is none. */
  roomOf(handle: string): Room | undefined;
  roomById(roomId: string): Room | undefined;
  readonly faults: FaultControl;
  /** Where the socket is, as the sign server tells it. */
  readonly pushServer: string;
}

export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** TikTok's codes for a room's state: on air, and over (or never begun). */
const STATUS_LIVE = 2;
const STATUS_OFFLINE = 4;

/** TikTok's code for a room that only signed-in adults may see. */
const CODE_AGE_RESTRICTED = 4_003_110;

/** TikTok's code for a handle that nobody has. */
const CODE_USER_NOT_FOUND = 19_881_007;

/** Answers a request to TikTok's web or webcast host or to the sign server; all three are one host here. */
export function answerWebRequest(path: string, query: URLSearchParams, context: RouteContext): WebAnswer {
  const page = /^\/@([^/]+)\/live$/.exec(path);
  if (page?.[1] !== undefined) return livePage(decodeURIComponent(page[1]), context);
  const connect = /^\/webcast\/rooms\/(\d+)\/connect$/.exec(path);
  if (connect?.[1] !== undefined) return signedConnection(connect[1], context);
  const lookup = /^\/webcast\/anchors\/([^/]+)\/room_id$/.exec(path);
  if (lookup?.[1] !== undefined) return signServerRoomId(decodeURIComponent(lookup[1]), context);
  switch (path) {
    case '/':
      return json(200, { simulated: true, description: 'A stand-in for TikTok LIVE. Nothing here is real.' });
    case '/api-live/user/room/':
      return userRoom(query.get('uniqueId') ?? '', context);
    case '/webcast/room/info/':
      return roomInfo(query.get('room_id') ?? '', context);
    case '/webcast/gift/list/':
      return json(200, { data: { gifts: GIFTS.map(catalogueEntry) }, status_code: 0 });
    default:
      return json(404, { code: 404, message: 'The simulator has no such route.' });
  }
}

/** The page that TikTok shows at `/@handle/live`, as far as the connector reads it: the state in a script element. */
function livePage(handle: string, context: RouteContext): WebAnswer {
  const state = context.handleState(handle);
  if (state === 'blocked') return html(403, 'Solve the puzzle to go on.');
  const data = userInfo(handle, context);
  const sigiState = JSON.stringify(data === undefined ? {} : { LiveRoom: { liveRoomUserInfo: data } });
  // `<` is escaped so that no handle can close the script element.
  const script = sigiState.replaceAll('<', '\\u003c');
  return html(200, `<script id="SIGI_STATE" type="application/json">${script}</script>`);
}

function userRoom(handle: string, context: RouteContext): WebAnswer {
  if (context.handleState(handle) === 'blocked') return json(403, { statusCode: 403, message: 'blocked' });
  const data = userInfo(handle, context);
  if (data === undefined) return json(200, { statusCode: CODE_USER_NOT_FOUND, message: 'user_not_found' });
  return json(200, { statusCode: 0, message: '', data });
}

function signServerRoomId(handle: string, context: RouteContext): WebAnswer {
  const room = context.roomOf(handle);
  const found = context.handleState(handle) !== 'blocked' && room !== undefined;
  if (!found)
    return json(404, { code: 404, ok: false, message: 'No such user.', room_id: null, is_live: null });
  return json(200, { code: 200, ok: true, room_id: room.roomId, is_live: room.state === 'LIVE' });
}

function userInfo(handle: string, context: RouteContext): object | undefined {
  const room = context.roomOf(handle);
  if (room === undefined) return undefined;
  const status = statusOf(room, context);
  return {
    user: { uniqueId: handle, nickname: room.title, roomId: room.roomId, status, id: hostId(room) },
    liveRoom: { title: room.title, status, roomId: room.roomId, startTime: startSeconds(room) },
  };
}

function roomInfo(roomId: string, context: RouteContext): WebAnswer {
  const room = context.roomById(roomId);
  if (room === undefined) return json(200, { status_code: 30_003, data: { message: 'room has finished' } });
  if (context.handleState(room.handle) === 'age-restricted') {
    return json(200, {
      status_code: CODE_AGE_RESTRICTED,
      data: { prompts: 'This LIVE may not be suitable for some people.', [SIMULATED_ROOM_INFO_FIELD]: true },
    });
  }
  return json(200, {
    status_code: 0,
    data: {
      [SIMULATED_ROOM_INFO_FIELD]: true,
      id_str: room.roomId,
      status: statusOf(room, context),
      title: room.title,
      create_time: startSeconds(room),
      user_count: room.viewers,
      owner: { id_str: hostId(room), display_id: room.handle, nickname: room.title },
    },
  });
}

/** The sign server's answer: cookies, the first batch, and the address of the socket. */
function signedConnection(roomId: string, context: RouteContext): WebAnswer {
  const limited = context.faults.strike('429');
  if (limited !== undefined) {
    return json(
      429,
      { code: 429, message: 'Too many connections started.', limit_label: 'simulated' },
      {
        'retry-after': `${limited.value}`,
        'x-ratelimit-remaining': '0',
      },
    );
  }
  if (context.faults.strike('500') !== undefined)
    return json(500, { code: 500, message: 'Simulated failure.' });
  const room = context.roomById(roomId);
  if (room === undefined) return json(404, { code: 404, message: 'No such room.' });
  const history = context.faults.strike('history');
  const body = encodeFetchResult(history === undefined ? [] : room.lastMessages(history.value), {
    needAck: false,
    pushServer: context.pushServer,
  });
  const cookie: Record<string, string> =
    context.faults.strike('no-cookie') === undefined
      ? { 'x-set-tt-cookie': 'ttwid=simulated; Path=/; Domain=127.0.0.1' }
      : {};
  return {
    status: 200,
    headers: { 'content-type': 'application/protobuf', 'x-room-id': roomId, ...cookie },
    body,
  };
}

function catalogueEntry(gift: (typeof GIFTS)[number]): object {
  return { id: Number(gift.giftId), name: gift.name, type: gift.type, diamond_count: gift.diamondCount };
}

function statusOf(room: Room, context: RouteContext): number {
  const offline = room.state !== 'LIVE' || context.handleState(room.handle) === 'offline';
  return offline ? STATUS_OFFLINE : STATUS_LIVE;
}

/** A made-up user id of the streamer, different from every viewer's. */
function hostId(room: Room): string {
  return `6${room.roomId.slice(1)}`;
}

function startSeconds(room: Room): number {
  return Math.floor(room.startedAt / 1000);
}

function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): WebAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

function html(status: number, body: string): WebAnswer {
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!doctype html><title>Simulated</title>${body}`,
  };
}
