import {
  createEulerClient,
  deserializeWebSocketMessage,
  SignConfig,
  TikTokLiveConnection,
} from 'tiktok-live-connector';
import { SIMULATOR_HEADER } from '../../src/simulator/marker.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';

/** A message as the stock connector decoded it, in the order in which it handed it over. */
interface Received {
  readonly type: string;
  // The connector's decoded data has no common type; tests compare it by value.
  readonly data: Record<string, unknown> & { readonly common: { readonly msgId: string } };
}

/** The stock connector pointed at a simulator, with everything it reported. */
export interface Client {
  readonly connection: TikTokLiveConnection;
  readonly received: Received[];
  /** The raw frames, in the order in which they came. */
  readonly frames: Buffer[];
  /** Messages of one type, in order. */
  of(type: string): readonly Received[];
  /** The ids received, in order. */
  ids(): readonly string[];
  readonly errors: unknown[];
  readonly events: { readonly name: string; readonly data: unknown }[];
  /** Set once the socket is gone. */
  readonly end: { code: number | null };
  [Symbol.asyncDispose](): Promise<void>;
}

/** Events that the connector derives from messages, as far as the tests look at them. */
const EVENTS = ['follow', 'share', 'social', 'streamEnd', 'enterRoom', 'chat', 'gift'] as const;

/** The stock connector, configured for a simulator and not yet connected. */
export function createClient(simulator: Simulator, handle: string): Client {
  SignConfig.basePath = simulator.signUrl;
  // The stock connector has one sign client per process; without the old one it makes a new one.
  Reflect.deleteProperty(SignConfig, 'cachedInstance');
  const connection = new TikTokLiveConnection(handle, {
    eulerApiInstance: createEulerClient(),
    webConfigOverrides: {
      TIKTOK_HOST_WEB: simulator.webHost,
      TIKTOK_HOST_WEBCAST: simulator.webcastHost,
    },
    // The type asks for every option of got; the connector merges what it gets.
    webClientOptions: { retry: { limit: 0 } } as never,
  });
  // 2.4.0 takes https for loopback; the method is protected, so it is replaced as a property.
  Object.defineProperty(connection.webClient, 'getBaseUrl', { value: (host: string) => `http://${host}` });
  const client: Client = {
    connection,
    received: [],
    frames: [],
    errors: [],
    events: [],
    end: { code: null },
    of: (type) => client.received.filter((message) => message.type === type),
    ids: () => client.received.map((message) => message.data.common.msgId),
    async [Symbol.asyncDispose]() {
      await connection.disconnect();
    },
  };
  listen(client);
  return client;
}

/** The stock connector, connected to a live handle. */
export async function connectClient(
  simulator: Simulator,
  handle = simulator.handles[0] ?? '',
): Promise<Client> {
  const client = createClient(simulator, handle);
  await client.connection.connect();
  return client;
}

function listen(client: Client): void {
  const { connection } = client;
  // The connector's types lose the emitter's own `on` under this module resolution.
  const emitter = connection as unknown as NodeJS.EventEmitter;
  emitter.on('decodedData', (type: string, decoded: { data: Received['data'] }) =>
    client.received.push({ type, data: decoded.data }),
  );
  emitter.on('websocketData', (frame: Buffer) => client.frames.push(frame));
  emitter.on('error', (error: unknown) => client.errors.push(error));
  emitter.on('disconnected', ({ code }: { code: number }) => {
    client.end.code = code;
  });
  for (const name of EVENTS) emitter.on(name, (data: unknown) => client.events.push({ name, data }));
}

/** Every message of the raw frames, also those that the connector keeps to itself. */
export async function framedMessages(client: Client): Promise<readonly FramedMessage[]> {
  const decoded = await Promise.all(client.frames.map((frame) => deserializeWebSocketMessage(frame)));
  return decoded.flatMap((frame) =>
    (frame.protoMessageFetchResult?.messages ?? []).map((message) => ({
      type: message.method,
      id: message.msgId,
      history: message.isHistory,
      outcome: outcomeOf(message),
      data: message.decodedData?.data ?? null,
    })),
  );
}

/** A message in its frame, and what the connector could do with it. */
export interface FramedMessage {
  readonly type: string;
  readonly id: string;
  readonly history: boolean;
  readonly outcome: 'decoded' | 'undecodable' | 'unknown';
  readonly data: object | null;
}

function outcomeOf(message: object): FramedMessage['outcome'] {
  if ('decodedData' in message) return 'decoded';
  return 'decodeError' in message ? 'undecodable' : 'unknown';
}

/** One of the simulator's web routes, as any HTTP client sees it. */
export async function getRoute(
  simulator: Simulator,
  path: string,
): Promise<{ status: number; simulated: boolean; body: string }> {
  const response = await fetch(`http://${simulator.webHost}${path}`);
  return {
    status: response.status,
    simulated: response.headers.get(SIMULATOR_HEADER) === '1',
    body: await response.text(),
  };
}
