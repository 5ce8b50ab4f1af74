import WebSocket from 'ws';
import { waitFor } from '../support/wait.ts';

/** A frame of the graphql-transport-ws protocol. */
export interface Frame {
  readonly type: string;
  readonly id?: string;
  // What a payload looks like depends on the document the test wrote.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly payload?: any;
}

/** A client that hides nothing of the protocol. */
export interface SocketClient {
  readonly socket: WebSocket;
  readonly frames: Frame[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  send(frame: object | string): void;
  subscribe(id: string, query: string, variables?: object): void;
  /** The first frame of this type (and operation) from the `skip`th frame on. */
  next(type: string, id?: string, skip?: number): Promise<Frame>;
  [Symbol.dispose](): void;
}

/** Connects; with a key it also waits for the acknowledgement. */
export async function openSocket(
  url: string,
  options: {
    readonly key?: string;
    readonly origin?: string;
    readonly protocol?: string;
    readonly ca?: string;
    /** What `subscribe` sends in place of the document. */
    readonly byId?: (query: string) => object;
  } = {},
): Promise<SocketClient> {
  const { key, origin, ca, protocol = 'graphql-transport-ws', byId } = options;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol, {
    ...(origin === undefined ? {} : { origin }),
    ...(ca === undefined ? {} : { ca }),
  });
  const frames: Frame[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
  );
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  const client: SocketClient = {
    socket,
    frames,
    closed,
    send: (frame) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    subscribe: (id, query, variables = {}) =>
      client.send({
        type: 'subscribe',
        id,
        // The protocol's own check wants the word.
        payload: { query, variables, ...(byId === undefined ? {} : { ...byId(query), query: '' }) },
      }),
    next: (type, id, skip = 0) =>
      waitFor(
        () =>
          frames.slice(skip).find((frame) => frame.type === type && (id === undefined || frame.id === id)),
        { message: `a frame ${type} ${id ?? ''}, among ${JSON.stringify(frames)}` },
      ),
    [Symbol.dispose]: () => socket.terminate(),
  };
  if (key !== undefined) {
    client.send({ type: 'connection_init', payload: { key } });
    await client.next('connection_ack');
  }
  return client;
}
