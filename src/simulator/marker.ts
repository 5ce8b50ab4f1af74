/**
 * How anything that leaves the simulator says that it is one. Three signs, so that each kind of reader has one: a header
 * on every HTTP answer (also on the WebSocket upgrade), a prefix of the room's title for people, and a field of the room
 * info for programs. The field, unlike a title, cannot be written by a streamer.
 */

/** On every HTTP answer of the simulator, with the value `1`. */
export const SIMULATOR_HEADER = 'x-tallylight-simulator';

/** What every simulated room's title begins with. */
export const SIMULATED_TITLE_PREFIX = '[SIMULATED] ';

/** Field of the room info's `data`, `true` in simulated rooms. */
export const SIMULATED_ROOM_INFO_FIELD = 'tallylight_simulated';

/** True when `roomInfo`, the body of `/webcast/room/info/`, came from the simulator. */
export function isSimulatedRoomInfo(roomInfo: unknown): boolean {
  if (!isRecord(roomInfo) || !isRecord(roomInfo.data)) return false;
  return roomInfo.data[SIMULATED_ROOM_INFO_FIELD] === true;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
