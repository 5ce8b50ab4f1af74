import { RoomInfoFromHtmlRouteConfig } from 'tiktok-live-connector';
import { isSimulatedRoomInfo } from '../../simulator/marker.ts';
import { SourceError } from '../live-source.ts';
import { retryAfterMs } from './retry-after.ts';
import {
  API_STATUS_USER_NOT_FOUND,
  member,
  offline,
  parseJson,
  ROOM_INFO_AGE_RESTRICTED,
  ROOM_STATUS_ENDED,
  type RoomFacts,
  roomFacts,
  titleOf,
  unknownHandle,
} from './room-facts.ts';
import { getRoute, type WebAnswer, type WebClient } from './web-client.ts';

/**
 * Finds the room through TikTok's own routes: the live page first, the API behind it when the page says nothing (a page
 * for robots carries no state), then the room's own entry, which knows about age limits.
 * @throws SourceError OFFLINE, UNKNOWN_HANDLE, RATE_LIMITED, BLOCKED, AGE_RESTRICTED or NETWORK.
 */
export async function lookUpDirect(client: WebClient, handle: string, nowMs: number): Promise<RoomFacts> {
  const page = await getRoute(client, { host: client.hosts.webHost, path: `@${handle}/live` });
  refuseIfLimited(page, nowMs);
  const fromPage = factsOfPage(page);
  const facts = fromPage ?? (await factsOfApi(client, handle, page, nowMs));
  return confirm(client, facts);
}

/** Null when the page carries no state to read. */
function factsOfPage(page: WebAnswer): RoomFacts | null {
  const state = RoomInfoFromHtmlRouteConfig.extractionPattern.exec(page.body)?.[1];
  if (page.status !== 200 || state === undefined) return null;
  const info = member(parseJson(state), 'LiveRoom', 'liveRoomUserInfo');
  if (member(info, 'user') === undefined) return null;
  return roomFacts({
    roomId: member(info, 'user', 'roomId'),
    status: member(info, 'liveRoom', 'status') ?? member(info, 'user', 'status'),
    title: member(info, 'liveRoom', 'title'),
    simulated: page.simulated,
  });
}

async function factsOfApi(
  client: WebClient,
  handle: string,
  page: WebAnswer,
  nowMs: number,
): Promise<RoomFacts> {
  const answer = await getRoute(client, {
    host: client.hosts.webHost,
    path: 'api-live/user/room/',
    searchParams: { uniqueId: handle, sourceType: '54' },
  });
  refuseIfLimited(answer, nowMs);
  const body = parseJson(answer.body);
  const statusCode = member(body, 'statusCode');
  if (statusCode === API_STATUS_USER_NOT_FOUND) throw unknownHandle();
  if (answer.status === 200 && statusCode === 0 && member(body, 'data', 'user') !== undefined) {
    return roomFacts({
      roomId: member(body, 'data', 'user', 'roomId'),
      status: member(body, 'data', 'liveRoom', 'status'),
      title: member(body, 'data', 'liveRoom', 'title'),
      simulated: answer.simulated,
    });
  }
  if (page.status === 404 && answer.status === 404) throw unknownHandle();
  if (answer.status >= 500 || page.status >= 500) {
    throw new SourceError('NETWORK', `TikTok answered ${page.status} and ${answer.status}.`);
  }
  // Both answered, and neither with what every browser gets: a captcha, a consent wall or a refusal.
  throw new SourceError('BLOCKED', `TikTok answered ${page.status} and ${answer.status} without a room.`);
}

/**
 * Asks the room's entry. It is a second opinion: when it fails, what was found stands, because TikTok refuses this route
 * to some addresses from which the room itself can be joined.
 */
async function confirm(client: WebClient, facts: RoomFacts): Promise<RoomFacts> {
  const answer = await getRoute(client, {
    host: client.hosts.webcastHost,
    path: 'webcast/room/info/',
    searchParams: { room_id: facts.roomId },
  }).catch(() => null);
  if (answer === null) return facts;
  const body = parseJson(answer.body);
  if (member(body, 'status_code') === ROOM_INFO_AGE_RESTRICTED) {
    throw new SourceError('AGE_RESTRICTED', 'The stream asks for an account of a grown-up.');
  }
  if (member(body, 'data', 'status') === ROOM_STATUS_ENDED) throw offline();
  return {
    roomId: facts.roomId,
    title: titleOf(member(body, 'data', 'title')) ?? facts.title,
    simulated: facts.simulated || isSimulatedRoomInfo(body),
  };
}

function refuseIfLimited(answer: WebAnswer, nowMs: number): void {
  if (answer.status !== 429) return;
  const wait = retryAfterMs({ retryAfter: answer.retryAfter, reset: null }, nowMs);
  throw new SourceError(
    'RATE_LIMITED',
    'TikTok answers 429: too many look-ups from this address.',
    wait === null ? {} : { retryAfterMs: wait },
  );
}
