import type { Broadcast } from './broadcast.ts';
import type { FaultControl } from './faults.ts';
import { encodeFetchResult } from './frame.ts';
import { json, type WebAnswer } from './web-answer.ts';

/** What the sign server's routes look at. */
export interface SignContext {
  /** The handle's state and stream, or last stream; undefined when nobody has it. */
  broadcastOf(handle: string): Broadcast | undefined;
  broadcastByRoom(roomId: string): Broadcast | undefined;
  readonly faults: FaultControl;
  /** Where the push socket is. */
  readonly pushServer: string;
}

/** The cookie that a connection needs. The connector refuses to connect without one. */
const COOKIE = 'ttwid=simulated; Path=/; Domain=127.0.0.1';

/** Answers a request to the sign server; undefined when the path is none of its. */
export function answerSignRequest(path: string, body: string, context: SignContext): WebAnswer | undefined {
  const connect = /^\/webcast\/rooms\/(\d+)\/connect$/.exec(path)?.[1];
  const handle = /^\/webcast\/anchors\/([^/]+)\/room_id$/.exec(path)?.[1];
  if (connect === undefined && handle === undefined && path !== '/tiktok/sign_url') return undefined;
  const limited = context.faults.strike('429');
  if (limited !== undefined) {
    const refusal = { code: 429, message: 'Too many connections started.', limit_label: 'simulated' };
    return json(429, refusal, { 'retry-after': `${limited.value}`, 'x-ratelimit-remaining': '0' });
  }
  if (context.faults.strike('500') !== undefined)
    return json(500, { code: 500, message: 'Simulated failure.' });
  if (connect !== undefined) return signedConnection(connect, context);
  if (handle !== undefined) return roomIdOf(decodeURIComponent(handle), context);
  return signedUrl(body);
}

/** Cookies, the first batch, and the address of the socket. */
function signedConnection(roomId: string, context: SignContext): WebAnswer {
  const room = context.broadcastByRoom(roomId)?.room;
  if (room === undefined) return json(404, { code: 404, message: 'No such room.' });
  const history = context.faults.strike('history');
  const cookieless = context.faults.strike('no-cookie') !== undefined;
  return {
    status: 200,
    headers: {
      'content-type': 'application/protobuf',
      'x-room-id': roomId,
      ...(cookieless ? {} : { 'x-set-tt-cookie': COOKIE }),
    },
    body: encodeFetchResult(history === undefined ? [] : room.lastMessages(history.value), {
      needAck: false,
      pushServer: context.pushServer,
    }),
  };
}

function roomIdOf(handle: string, context: SignContext): WebAnswer {
  const broadcast = context.broadcastOf(handle);
  if (broadcast === undefined || broadcast.state === 'blocked') {
    return json(404, { code: 404, ok: false, message: 'No such user.', routes_attempted: [] });
  }
  return json(200, {
    code: 200,
    ok: true,
    routes_attempted: [],
    room_id: broadcast.room.roomId,
    is_live: broadcast.onAir,
  });
}

/** Signs nothing: the simulator's routes ask for no signature. */
function signedUrl(body: string): WebAnswer {
  const request: unknown = JSON.parse(body);
  const url = typeof request === 'object' && request !== null ? Reflect.get(request, 'url') : undefined;
  if (typeof url !== 'string') return json(400, { code: 400, message: 'There is no URL to sign.' });
  return json(200, { code: 200, response: { signedUrl: url, tokens: { simulated: '1' } } });
}
