/**
 * A small client of the `graphql-transport-ws` protocol that does not give up: it subscribes, and whatever ends the
 * connection (server gone, network gone, a socket that only looks open) it connects again by itself.
 * @see https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 */

/** First and longest wait between attempts. The longest keeps recovery within 5 s of the server's return. */
const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 2_000;
/** A server that says nothing for this long, not even a pong, is gone. */
const PING_EVERY_MS = 4_000;
const SILENCE_MS_MAX = 10_000;
/** Close codes that trying again cannot mend: unauthorised, forbidden. */
const FATAL_CODES = new Set([4401, 4403]);
/** A refused key is tried again all the same, rarely: it may have been refused while the server was starting. */
const FATAL_RETRY_MS = 30_000;

/**
 * @typedef {object} Subscription
 * @property {string} operation The registered operation's sha256.
 * @property {Record<string, unknown>} variables
 * @property {(data: any) => void} onData
 *
 * @typedef {object} LiveConnectionOptions
 * @property {string} url
 * @property {string} key
 * @property {readonly Subscription[]} subscriptions
 * @property {(state: 'connected' | 'disconnected' | 'refused', detail: string) => void} onState
 */

/**
 * Connects and stays connected until the page goes away.
 *
 * @param {LiveConnectionOptions} options
 */
export function keepConnected(options) {
  let retryMs = RETRY_MS_FIRST;

  const again = (/** @type {boolean} */ fatal) => {
    const waitMs = fatal ? FATAL_RETRY_MS : retryMs * (0.8 + Math.random() * 0.4);
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
    setTimeout(connect, waitMs);
  };

  const connect = () => {
    const socket = new WebSocket(options.url, 'graphql-transport-ws');
    let heardAt = performance.now();
    let settled = false;

    const end = (/** @type {number} */ code, /** @type {string} */ reason) => {
      if (settled) return;
      settled = true;
      clearInterval(watch);
      socket.close();
      const fatal = FATAL_CODES.has(code);
      options.onState(fatal ? 'refused' : 'disconnected', reason);
      again(fatal);
    };

    const watch = setInterval(() => {
      if (performance.now() - heardAt > SILENCE_MS_MAX) end(0, 'silence');
      else if (socket.readyState === WebSocket.OPEN) socket.send('{"type":"ping"}');
    }, PING_EVERY_MS);

    socket.onopen = () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { key: options.key } }));
    socket.onclose = (event) => end(event.code, event.reason);
    socket.onmessage = (event) => {
      heardAt = performance.now();
      const message = JSON.parse(event.data);
      switch (message.type) {
        case 'connection_ack':
          retryMs = RETRY_MS_FIRST;
          options.subscriptions.forEach((subscription, index) => {
            const { operation, variables } = subscription;
            const extensions = { persistedQuery: { version: 1, sha256Hash: operation } };
            const payload = { query: '', variables, extensions };
            socket.send(JSON.stringify({ id: String(index), type: 'subscribe', payload }));
          });
          options.onState('connected', '');
          break;
        case 'next':
          if (message.payload.data) options.subscriptions[Number(message.id)]?.onData(message.payload.data);
          break;
        case 'ping':
          socket.send('{"type":"pong"}');
          break;
        case 'error':
        case 'complete':
          // The server ended a subscription that we want for ever: begin again.
          end(4000, 'subscription ended');
          break;
      }
    };
  };

  connect();
}
