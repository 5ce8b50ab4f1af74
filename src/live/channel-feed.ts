import type { Registry } from 'prom-client';
import type { Delivery, EventBus } from '../bus/port.ts';
import type { EventType } from '../events/unified-event.ts';
import type { ChannelId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { type EventWish, matchesWish } from './event-match.ts';
import { FeedBuffer, type OverflowPolicy } from './feed-buffer.ts';
import { FeedInterruptedError, FeedOverflowError } from './feed-errors.ts';
import { createLiveMetrics, type LiveMetrics } from './live-metrics.ts';
import { PresenceBeats } from './presence-beats.ts';
import { SharedSources } from './shared-source.ts';
import { openStreamChanges, type StreamChange } from './stream-changes.ts';

/** Events a subscriber may be behind: some seconds of the busiest rooms. They are shared between subscribers. */
const EVENTS_BEHIND_MAX = 512;
/** Changes a subscriber may be behind. Only the newest matters, since each is read as the state then is. */
const CHANGES_BEHIND_MAX = 4;
/** What a subscriber that cannot keep up loses, before anything else is touched. */
const DROPPABLE: ReadonlySet<EventType> = new Set<EventType>(['LIKE', 'JOIN', 'ROOM_USER', 'RAW']);

/** Who subscribes. */
export interface Watcher {
  /** Unique per subscription. */
  readonly subscriptionId: string;
  /** Unique per socket, or per SSE request. */
  readonly connectionId: string;
  readonly overlay: boolean;
}

export interface EventsRequest {
  readonly channelId: ChannelId;
  readonly wish: EventWish;
  readonly watcher: Watcher;
}

export interface ChangesRequest {
  readonly channelId: ChannelId;
  readonly watcher: Watcher;
}

/**
 * Live events and stream changes of channels. Each channel is subscribed to once on the bus, however many watch it here.
 * While somebody watches, every process can see it in the bus's presence (`subscriber`, and `overlay` for overlays).
 */
export class LiveHub {
  readonly #presence: PresenceBeats;
  readonly #metrics: LiveMetrics;
  readonly #events: SharedSources<ChannelId, Delivery>;
  readonly #changes: SharedSources<ChannelId, StreamChange>;
  readonly #eventPolicy: OverflowPolicy<Delivery>;
  readonly #open = new Set<{ end(): void }>();

  constructor(
    deps: { readonly bus: EventBus; readonly logger: Logger; readonly registry: Registry },
    options: { readonly eventsBehindMax?: number } = {},
  ) {
    const metrics = createLiveMetrics(deps.registry);
    this.#metrics = metrics;
    this.#presence = new PresenceBeats(deps);
    const events = new SharedSources<ChannelId, Delivery>(
      (channelId, sink) =>
        deps.bus.subscribe(channelId, { listener: sink.receive, onInterrupted: sink.interrupted }),
      deps.logger,
    );
    this.#events = events;
    this.#changes = new SharedSources<ChannelId, StreamChange>(
      (channelId, sink) => openStreamChanges({ bus: deps.bus, events }, channelId, sink),
      deps.logger,
    );
    this.#eventPolicy = {
      itemsMax: options.eventsBehindMax ?? EVENTS_BEHIND_MAX,
      isDroppable: ({ event }) => DROPPABLE.has(event.eventType),
      onDropped: ({ event }) => metrics.dropped.inc({ type: event.eventType }),
      overflowError: (lastTaken) => {
        metrics.ended.inc({ reason: 'overflow' });
        return new FeedOverflowError(lastTaken);
      },
    };
  }

  /**
   * The channel's wanted events from now on, in order. Resolves once the subscription is in force. A reader that falls
   * behind loses likes, joins, viewer counts and unknown messages first; when that is not enough, the iterator rejects with
   * FeedOverflowError. It rejects with FeedInterruptedError when the bus may have lost something.
   */
  events(request: EventsRequest): Promise<AsyncIterableIterator<Delivery>> {
    return this.#subscribe(this.#events, this.#eventPolicy, request, {
      wants: ({ event }) => matchesWish(request.wish, event),
      interruptedError: (lastTaken) => new FeedInterruptedError(lastTaken),
    });
  }

  /** A SNAPSHOT at once, then a change whenever there is something new to read; counters at most once a second. */
  async streamChanges(request: ChangesRequest): Promise<AsyncIterableIterator<StreamChange>> {
    const policy: OverflowPolicy<StreamChange> = {
      itemsMax: CHANGES_BEHIND_MAX,
      isDroppable: () => true,
      onDropped: () => undefined,
      overflowError: () => new FeedOverflowError(null),
    };
    const buffer = await this.#subscribe(this.#changes, policy, request, {
      wants: () => true,
      interruptedError: () => new FeedInterruptedError(null),
    });
    buffer.push({ channelId: request.channelId, kind: 'SNAPSHOT' });
    return buffer;
  }

  async #subscribe<T>(
    sources: SharedSources<ChannelId, T>,
    policy: OverflowPolicy<T>,
    { channelId, watcher }: ChangesRequest,
    rules: {
      readonly wants: (item: T) => boolean;
      readonly interruptedError: (lastTaken: T | null) => Error;
    },
  ): Promise<FeedBuffer<T>> {
    const undo: (() => void)[] = [];
    let closed = false;
    // The feed may end while we still join: what is joined afterwards is left at once.
    const joined = (leave: () => void) => (closed ? leave() : void undo.push(leave));
    const buffer = new FeedBuffer<T>(policy, () => {
      closed = true;
      for (const leave of undo) leave();
    });
    try {
      joined(
        await sources.join(channelId, {
          receive: (item) => {
            if (rules.wants(item)) buffer.push(item);
          },
          interrupted: () => {
            this.#metrics.ended.inc({ reason: 'interrupted' });
            buffer.failAfter(rules.interruptedError);
          },
        }),
      );
      const { subscriptionId, connectionId } = watcher;
      joined(await this.#presence.join({ channelId, kind: 'subscriber', connectionId: subscriptionId }));
      if (watcher.overlay) joined(await this.#presence.join({ channelId, kind: 'overlay', connectionId }));
    } catch (error) {
      buffer.end();
      throw error;
    }
    this.#open.add(buffer);
    this.#metrics.subscriptions.inc();
    joined(() => {
      this.#open.delete(buffer);
      this.#metrics.subscriptions.dec();
    });
    return buffer;
  }

  /** Ends every subscription and takes all presence away. */
  async stop(): Promise<void> {
    for (const buffer of [...this.#open]) {
      this.#metrics.ended.inc({ reason: 'shutdown' });
      buffer.end();
    }
    await this.#presence.stop();
  }
}
