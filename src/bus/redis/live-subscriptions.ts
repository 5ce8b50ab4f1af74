import type { ChannelId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { LiveSubscriber, Unsubscribe } from '../port.ts';
import type { RedisConnections } from './connections.ts';
import type { RedisKeys } from './keys.ts';
import { LiveLink } from './live-link.ts';
import type { LiveMessage } from './live-message.ts';

/** What live subscriptions need. */
export interface LiveSubscriptionsDeps {
  readonly connections: RedisConnections;
  readonly keys: RedisKeys;
  readonly logger: Logger;
  readonly random: () => number;
}

/** How long a subscriber connection waits for Redis to acknowledge, in milliseconds. */
const REPLY_TIMEOUT_MS = 3_000;

/**
 * Live events and topics over sharded pub/sub. One connection serves them all; in a cluster one per hash tag in use,
 * since a sharded message is known only to the node that holds the tag.
 */
export class LiveSubscriptions {
  readonly #deps: LiveSubscriptionsDeps;
  readonly #links = new Map<string, LiveLink>();

  constructor(deps: LiveSubscriptionsDeps) {
    this.#deps = deps;
  }

  /** @throws DependencyError */
  channel(channelId: ChannelId, subscriber: LiveSubscriber): Promise<Unsubscribe> {
    const name = this.#deps.keys.live(channelId);
    return this.#link(name).subscribe(name, {
      message: (message) => this.#deliver(message, subscriber),
      interrupted: () => subscriber.onInterrupted?.(),
    });
  }

  /** @throws DependencyError */
  topic(topic: string, listener: (payload: string) => void): Promise<Unsubscribe> {
    const name = this.#deps.keys.topic(topic);
    return this.#link(name).subscribe(name, {
      message: ({ text }) => listener(text),
      interrupted: () => {},
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }

  /** Gives a message's events to one subscriber. Its throwing costs it that event and nobody else anything. */
  #deliver(message: LiveMessage, subscriber: LiveSubscriber): void {
    for (const entry of message.entries) {
      if (entry.kind === 'UNREADABLE') {
        this.#deps.logger.warn({ cursor: entry.cursor }, 'bus.live_unreadable');
        continue;
      }
      try {
        subscriber.listener(entry.delivery);
      } catch (error) {
        this.#deps.logger.error({ err: error }, 'bus.listener_failed');
      }
    }
  }

  #link(name: string): LiveLink {
    const { connections } = this.#deps;
    const place = connections.isCluster ? name.slice(0, name.indexOf('}') + 1) : '';
    const known = this.#links.get(place);
    if (known !== undefined) return known;
    const link = new LiveLink({
      ...this.#deps,
      connect: () => connections.dedicated(name, { replyTimeoutMs: REPLY_TIMEOUT_MS }),
    });
    this.#links.set(place, link);
    return link;
  }
}
