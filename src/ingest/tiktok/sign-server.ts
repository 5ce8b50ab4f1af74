import { LIBRARY_IDENTITY } from 'tiktok-live-connector';
import type { ProtoMessageFetchResult } from 'tiktok-live-proto/v3';
import { isLoopbackHost } from '../../lib/loopback.ts';
import { SIMULATOR_HEADER } from '../../simulator/marker.ts';
import { SourceError } from '../live-source.ts';
import type { SignBudget } from '../sign-budget.ts';
import { errorCode } from './error-code.ts';
import { decodeBatch } from './message-batch.ts';
import { retryAfterMs } from './retry-after.ts';
import { member, offline, type RoomFacts, roomFacts, unknownHandle } from './room-facts.ts';
import type { WebClient } from './web-client.ts';

/** A room id is a whole number of 64 bits. */
const ROOM_ID = /^\d{1,20}$/;

/** What the sign server gave: the first batch of messages and how to open the socket. */
export interface SignedRoom {
  readonly roomId: string;
  readonly firstBatch: ProtoMessageFetchResult;
  readonly socketUrl: string;
  readonly socketParams: SocketParams;
  readonly simulated: boolean;
}

/** What the socket's address asks for; beside these, what the sign server adds. */
export interface SocketParams {
  readonly room_id: string;
  readonly internal_ext: string;
  readonly cursor: string;
  readonly [name: string]: string;
}

/** The tenant's budget at the sign server and the time. */
export interface SignDeps {
  readonly budget: SignBudget;
  readonly nowMs: () => number;
}

interface SignAnswer {
  readonly status: number;
  readonly data: unknown;
  header(name: string): string | null;
}

/**
 * Has the socket's address signed. The request is the connector's own, made with this attempt's client, so that a 429 can
 * be read (2.4.0 turns it into a TypeError) and an abort ends it.
 * @throws SourceError RATE_LIMITED, BLOCKED or SIGN_SERVER.
 */
export async function signRoom(client: WebClient, deps: SignDeps, roomId: string): Promise<SignedRoom> {
  const { webClient, apiClient } = client.connection;
  const answer = await ask(deps, client.signal, () =>
    apiClient.rooms.fetchWebcastURL(
      roomId,
      LIBRARY_IDENTITY,
      undefined,
      undefined,
      webClient.clientHeaders['User-Agent'],
      true,
      undefined,
      'web',
      undefined,
      undefined,
      undefined,
      undefined,
      { responseType: 'arraybuffer', signal: client.signal },
    ),
  );
  const cookie = answer.header('x-set-tt-cookie');
  if (cookie === null) throw new SourceError('SIGN_SERVER', 'The sign server sent no cookie.');
  await webClient.cookieJar.processSetCookieHeader(cookie);
  const firstBatch = decodeFirstBatch(answer.data);
  if (firstBatch.cursor === '') throw new SourceError('SIGN_SERVER', 'The sign server sent no cursor.');
  const signedRoomId = answer.header('x-room-id') ?? roomId;
  if (!ROOM_ID.test(signedRoomId)) throw new SourceError('SIGN_SERVER', 'The sign server named no room.');
  return {
    roomId: signedRoomId,
    firstBatch,
    socketUrl: requireSecureSocket(firstBatch.pushServer),
    socketParams: {
      compress: 'gzip',
      room_id: signedRoomId,
      internal_ext: firstBatch.internalExt,
      cursor: firstBatch.cursor,
      ...nonEmpty(firstBatch.routeParams),
    },
    simulated: answer.header(SIMULATOR_HEADER) === '1',
  };
}

/**
 * Finds the room through the sign provider.
 * @throws SourceError OFFLINE, UNKNOWN_HANDLE, RATE_LIMITED, BLOCKED or SIGN_SERVER.
 */
export async function lookUpEuler(client: WebClient, deps: SignDeps, handle: string): Promise<RoomFacts> {
  const { apiClient } = client.connection;
  const answer = await ask(deps, client.signal, () =>
    apiClient.anchors.retrieveRoomId(handle, { signal: client.signal }),
  );
  const { data } = answer;
  if (member(data, 'code') === 404) throw unknownHandle();
  if (member(data, 'is_live') === false) throw offline();
  return roomFacts({
    roomId: member(data, 'room_id'),
    status: undefined,
    title: null,
    simulated: answer.header(SIMULATOR_HEADER) === '1',
  });
}

/** One request within the budget. Answers only with a status of success, or 404, which is the caller's to judge. */
async function ask(
  deps: SignDeps,
  signal: AbortSignal,
  request: () => Promise<{ status: number; data: unknown; headers: unknown }>,
): Promise<SignAnswer> {
  await deps.budget.take();
  let answer: SignAnswer;
  try {
    const response = await request();
    answer = { status: response.status, data: response.data, header: (name) => header(response, name) };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // The client's error carries its configuration, and with it the key: only its code goes on.
    throw new SourceError('SIGN_SERVER', `The sign server is out of reach (${errorCode(error)}).`);
  }
  if (answer.status === 429) throw await limited(deps, answer);
  if (answer.status === 404 && member(answer.data, 'code') === 404) return answer;
  if (answer.status === 401 || answer.status === 402 || answer.status === 403) {
    throw new SourceError('BLOCKED', `The sign server refuses the key or its plan (${answer.status}).`);
  }
  if (answer.status !== 200) {
    throw new SourceError('SIGN_SERVER', `The sign server answered ${answer.status}.`);
  }
  return answer;
}

async function limited(deps: SignDeps, answer: SignAnswer): Promise<SourceError> {
  const now = deps.nowMs();
  const told = retryAfterMs(
    { retryAfter: answer.header('retry-after'), reset: answer.header('x-ratelimit-reset') },
    now,
  );
  if (told !== null) await deps.budget.block(now + told);
  return new SourceError(
    'RATE_LIMITED',
    'The sign server answers 429: its limit for this key is used up.',
    told === null ? {} : { retryAfterMs: told },
  );
}

function decodeFirstBatch(data: unknown): ProtoMessageFetchResult {
  try {
    // axios gives a Buffer for `arraybuffer` in Node; anything else does not decode and is the server's failure.
    return decodeBatch(Buffer.from(data as Buffer));
  } catch (cause) {
    throw new SourceError('SIGN_SERVER', 'The sign server sent a batch that does not decode.', { cause });
  }
}

function requireSecureSocket(address: string): string {
  const url = URL.parse(address);
  const secure = url?.protocol === 'wss:' || (url?.protocol === 'ws:' && isLoopbackHost(url.host));
  if (!secure) throw new SourceError('SIGN_SERVER', 'The sign server named no secure socket address.');
  return address;
}

function nonEmpty(params: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== ''));
}

function header(response: { headers: unknown }, name: string): string | null {
  const value = member(response.headers, name);
  return typeof value === 'string' && value !== '' ? value : null;
}
