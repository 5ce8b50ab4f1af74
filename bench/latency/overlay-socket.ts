import { WebSocket } from 'ws';

/** What the overlay page asks for when it shows chat and gifts. */
const DOCUMENT = `subscription OverlayEvents($channelId: ID!, $filter: EventFilter) {
  eventReceived(channelId: $channelId, filter: $filter) {
    __typename id history
    actor { alias displayName avatarUrl }
    ... on ChatEvent { message }
    ... on GiftEvent { giftName giftImageUrl streakId streakCount streakCoins streakActive }
  }
}`;

/** A socket as the overlay opens one, noting how old each chat message is when it arrives. */
export interface OverlaySocket {
  /** Milliseconds from frame written to message received, in order of arrival. */
  readonly latenciesMs: number[];
  close(): void;
}

/** Connects, subscribes, and resolves when the server has said that it is connected. */
export function openOverlaySocket(options: {
  readonly url: string;
  readonly key: string;
  readonly channelId: string;
}): Promise<OverlaySocket> {
  const socket = new WebSocket(`${options.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const latenciesMs: number[] = [];
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', (code, reason) => reject(new Error(`closed ${code} ${reason}`)));
    socket.on('open', () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { key: options.key } })),
    );
    socket.on('message', (bytes: Buffer) => {
      const arrivedAt = performance.timeOrigin + performance.now();
      const message = JSON.parse(bytes.toString());
      if (message.type === 'connection_ack') {
        const variables = { channelId: options.channelId, filter: { types: ['CHAT', 'GIFT'] } };
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: DOCUMENT, variables } }));
        resolve({ latenciesMs, close: () => socket.close() });
      } else if (message.type === 'next') {
        const written = /^written at ([\d.]+)$/.exec(message.payload.data.eventReceived.message ?? '');
        if (written !== null) latenciesMs.push(arrivedAt - Number(written[1]));
      } else if (message.type === 'error') {
        reject(new Error(JSON.stringify(message.payload)));
      }
    });
  });
}
