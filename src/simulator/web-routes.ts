import type { Broadcast } from './broadcast.ts';
import { GIFTS } from './gift-catalogue.ts';
import { SIMULATED_ROOM_INFO_FIELD } from './marker.ts';
import { answerSignRequest, type SignContext } from './sign-routes.ts';
import { html, json, type WebAnswer } from './web-answer.ts';

/** A request to TikTok's web or webcast host or to the sign server; all three are one host here. */
export interface WebRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** What the routes look at. */
export interface WebContext extends SignContext {
  /** Every handle's broadcast, live or not. */
  broadcasts(): Iterable<Broadcast>;
}

/** TikTok's codes for a room's state: on air, and over (or never begun). */
const STATUS_LIVE = 2;
const STATUS_OFFLINE = 4;

/** TikTok's code for a room that only signed-in adults may see. */
const CODE_AGE_RESTRICTED = 4_003_110;

/** TikTok's code for a handle that nobody has. */
const CODE_USER_NOT_FOUND = 19_881_007;

/** TikTok's code for a room that is gone. */
const CODE_ROOM_FINISHED = 30_003;

/**
 * The simulator's answer.
 * @throws SyntaxError or URIError for a request that is no such request; the caller answers 400.
 */
export function answerWebRequest(request: WebRequest, context: WebContext): WebAnswer {
  const { path, query } = request;
  const page = /^\/@([^/]+)\/live$/.exec(path)?.[1];
  if (page !== undefined) return livePage(decodeURIComponent(page), context);
  switch (path) {
    case '/':
      return overview(context);
    case '/api-live/user/room/':
      return userRoom(query.get('uniqueId') ?? '', context);
    case '/webcast/room/info/':
      return roomInfo(query.get('room_id') ?? '', context);
    case '/webcast/gift/list/':
      return json(200, { status_code: 0, data: { gifts: GIFTS.map(catalogueEntry) } });
    default:
      return (
        answerSignRequest(path, request.body, context) ??
        json(404, { code: 404, message: 'The simulator has no such route.' })
      );
  }
}

/** For people and benches: who is live, and what went over the rooms' sockets so far. */
function overview(context: WebContext): WebAnswer {
  const rooms = Array.from(context.broadcasts(), ({ handle, state, room }) => ({
    handle,
    handleState: state,
    roomId: room.roomId,
    roomState: room.state,
    viewers: room.viewers,
    counters: room.counters,
  }));
  const description = 'A stand-in for TikTok LIVE. Nothing here is real.';
  return json(200, { simulated: true, description, faults: context.faults.active(), rooms });
}

/** The page that TikTok shows at `/@handle/live`, as far as readers go: the state in a script element. */
function livePage(handle: string, context: SignContext): WebAnswer {
  const broadcast = context.broadcastOf(handle);
  if (broadcast?.state === 'blocked') return html(403, 'Solve the puzzle to go on.');
  const state = broadcast === undefined ? {} : { LiveRoom: { liveRoomUserInfo: liveRoom(broadcast) } };
  // `<` is escaped so that no handle can close the script element.
  const script = JSON.stringify(state).replaceAll('<', '\\u003c');
  return html(200, `<script id="SIGI_STATE" type="application/json">${script}</script>`);
}

function userRoom(handle: string, context: SignContext): WebAnswer {
  const broadcast = context.broadcastOf(handle);
  if (broadcast === undefined)
    return json(200, { statusCode: CODE_USER_NOT_FOUND, message: 'user_not_found' });
  if (broadcast.state === 'blocked') return json(403, { statusCode: 403, message: 'blocked' });
  return json(200, { statusCode: 0, message: '', data: liveRoom(broadcast) });
}

function liveRoom(broadcast: Broadcast): object {
  const { handle, room } = broadcast;
  const status = broadcast.onAir ? STATUS_LIVE : STATUS_OFFLINE;
  return {
    user: { uniqueId: handle, nickname: room.title, roomId: room.roomId, status, id: room.hostId },
    liveRoom: { title: room.title, status, roomId: room.roomId, startTime: seconds(room.startedAt) },
  };
}

function roomInfo(roomId: string, context: SignContext): WebAnswer {
  const broadcast = context.broadcastByRoom(roomId);
  const marked = { [SIMULATED_ROOM_INFO_FIELD]: true };
  if (broadcast === undefined) {
    return json(200, { status_code: CODE_ROOM_FINISHED, data: { ...marked, message: 'room has finished' } });
  }
  if (broadcast.state === 'age-restricted') {
    const prompts = 'This LIVE may not be suitable for some people.';
    return json(200, { status_code: CODE_AGE_RESTRICTED, data: { ...marked, prompts } });
  }
  const { room } = broadcast;
  return json(200, {
    status_code: 0,
    data: {
      ...marked,
      id_str: room.roomId,
      status: broadcast.onAir ? STATUS_LIVE : STATUS_OFFLINE,
      title: room.title,
      create_time: seconds(room.startedAt),
      user_count: room.viewers,
      owner: { id_str: room.hostId, display_id: room.handle, nickname: room.title },
    },
  });
}

function catalogueEntry(gift: (typeof GIFTS)[number]): object {
  return { id: Number(gift.giftId), name: gift.name, type: gift.type, diamond_count: gift.diamondCount };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
