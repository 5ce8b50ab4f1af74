import { SourceError } from '../live-source.ts';

/** What a look-up tells about the room a handle is live in. */
export interface RoomFacts {
  readonly roomId: string;
  readonly title: string | null;
  readonly simulated: boolean;
}

/** TikTok's status of a room that is over. @see the connector's `fetchIsLiveComposite` */
export const ROOM_STATUS_ENDED = 4;

/** `statusCode` of `/api-live/user/room/` for a handle that nobody has ("user_not_found"). */
export const API_STATUS_USER_NOT_FOUND = 19_881_007;

/** `status_code` of `/webcast/room/info/` for a room that asks for a grown-up's account. */
export const ROOM_INFO_AGE_RESTRICTED = 4_003_110;

/** A room id is numeric text, up to the digits of an unsigned 64-bit number. */
const ROOM_ID_PATTERN = /^[1-9]\d{0,19}$/;

/** A title is cut at this many characters: TikTok's own limit is 32. */
const TITLE_CHARACTERS_MAX = 200;

/**
 * Reads the answer's own words on one room.
 * @throws SourceError OFFLINE when the handle is known and not live.
 */
export function roomFacts(room: {
  readonly roomId: unknown;
  readonly status: unknown;
  readonly title: unknown;
  readonly simulated: boolean;
}): RoomFacts {
  const roomId = typeof room.roomId === 'number' ? `${room.roomId}` : room.roomId;
  if (room.status === ROOM_STATUS_ENDED || typeof roomId !== 'string' || !ROOM_ID_PATTERN.test(roomId)) {
    throw offline();
  }
  return { roomId, title: titleOf(room.title), simulated: room.simulated };
}

/** The failure of a handle that exists and is not live. */
export function offline(): SourceError {
  return new SourceError('OFFLINE', 'The streamer is not live.');
}

/** The failure of a handle that nobody has. */
export function unknownHandle(): SourceError {
  return new SourceError('UNKNOWN_HANDLE', 'TikTok knows nobody by this handle.');
}

/** A room's title, null when there is none. */
export function titleOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, TITLE_CHARACTERS_MAX) : null;
}

/** The named member of a JSON value, undefined when it has none. */
export function member(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = Reflect.get(current, key);
  }
  return current;
}

/** `text` as JSON, undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller treats no JSON like JSON that says nothing
  }
}
