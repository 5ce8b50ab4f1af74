import type { EventDraft, UnifiedEvent } from '../events/unified-event.ts';
import type { ChannelId } from '../lib/ids.ts';

/**
 * The event bus: between ingest and everything that reads events. Two adapters pass one contract suite:
 * Redis (Streams with consumer groups for work that must not be lost, pub/sub for live fan-out) and in-process.
 *
 * Promises of the port:
 * - order: total per channel, by `sequence`, given at append; stream order, live order and cursors are one and the same;
 * - fencing: an append under a lease that somebody else has taken over since is refused whole;
 * - one time: an event id appended lately is refused as a duplicate, so no reader sees a repeat by an append;
 * - groups: each event reaches each group at least once; acknowledged after the handler; a channel's events come in order.
 */
export interface EventBus {
  /**
   * Appends events of one channel, in order, and publishes them live. Atomic with `stateChanges`, up to the step of
   * APPEND_STEP_EVENTS_MAX events (limits.ts); a longer request is several steps, the state changes in the last.
   * @throws StaleLeaseError when the lease's epoch is no longer the current one; nothing was appended.
   * @throws DependencyError (retryable) when the bus is out of reach. The caller appends the same events again: what
   *   had been appended after all answers DUPLICATE.
   */
  append(request: AppendRequest): Promise<readonly AppendOutcome[]>;

  /** The channel's producer state as the last append left it; empty when there is none. @see AppendRequest.stateChanges */
  readState(channelId: ChannelId): Promise<ReadonlyMap<string, string>>;

  /** The highest sequence given out in this channel, 0 when none is known. */
  lastSequence(channelId: ChannelId): Promise<number>;

  /**
   * Live events of a channel from now on: resolves once the subscription is in force. `listener` is called synchronously,
   * in order, and must not block or throw. `onInterrupted` tells that events may have been missed (the bus reconnected).
   */
  subscribe(channelId: ChannelId, subscriber: LiveSubscriber): Promise<Unsubscribe>;

  /** Starts a member of a consumer group. A shard is read by one member of the group at a time. */
  consume(options: ConsumeOptions): Promise<Consumer>;

  /** Messages that consumers gave up on, oldest first. */
  deadLetters(query: { readonly group?: string; readonly limit: number }): Promise<readonly DeadLetter[]>;
  /** Records a message that never became an event (undecodable), with its reason. */
  addDeadLetter(letter: Omit<DeadLetter, 'id'>): Promise<void>;

  /** Takes the lease on `name` when nobody holds it. Each taking has a higher epoch. Null when somebody else holds it. */
  acquireLease(request: {
    readonly name: string;
    readonly ownerId: string;
    readonly ttlMs: number;
  }): Promise<Lease | null>;

  /** Fire and forget between our processes: not stored, missed by who does not listen now. */
  notify(topic: string, payload: string): Promise<void>;
  listen(topic: string, listener: (payload: string) => void): Promise<Unsubscribe>;

  /** Who is connected where, shared by all processes. An entry not renewed within `ttlMs` is gone. */
  readonly presence: Presence;

  health(): Promise<BusHealth>;
  close(): Promise<void>;
}

export type Unsubscribe = () => Promise<void>;

export interface AppendRequest {
  readonly channelId: ChannelId;
  /**
   * The lease this producer works under, whose name ends in the channel's id (`room:<channelId>`); null for producers that
   * need none (wallet gifts, replays).
   */
  readonly lease: LeaseProof | null;
  /** The highest sequence the producer knows to be stored: a bus that forgot continues above it. */
  readonly sequenceFloor: number;
  readonly events: readonly EventDraft[];
  /** Small producer state kept beside the channel's head in the same atomic step (open gift streaks, the like maximum). */
  readonly stateChanges?: StateChanges;
}

export interface StateChanges {
  readonly set?: Readonly<Record<string, string>>;
  readonly delete?: readonly string[];
}

export type AppendOutcome =
  | { readonly kind: 'APPENDED'; readonly sequence: number; readonly cursor: string }
  | { readonly kind: 'DUPLICATE' };

/** An event with its place in the bus. `cursor` is opaque and ordered within its channel. */
export interface Delivery {
  readonly cursor: string;
  readonly event: UnifiedEvent;
}

export interface LiveSubscriber {
  readonly listener: (delivery: Delivery) => void;
  readonly onInterrupted?: () => void;
}

export interface ConsumeOptions {
  /** The group's plain name (`storage`); the adapter adds the configured prefix. */
  readonly group: string;
  /** Names this member in logs and ownership; unique per process. */
  readonly consumerId: string;
  readonly batchMax: number;
  /** How long to wait for a fuller batch once there is something, in milliseconds. */
  readonly lingerMs: number;
  /** A batch that failed this often is delivered one by one; an event that failed this often goes to the dead letters. */
  readonly attemptsMax: number;
  /**
   * Does the work. Deliveries are of one shard, in order. When it resolves, all are acknowledged, except that those it
   * names in `rejected` go to the dead letters first. When it throws, the batch is delivered again after a back-off; a
   * retryable DependencyError (the database is away) is an outage and not the events' failure, so it is not counted.
   */
  readonly handler: (batch: readonly ConsumedDelivery[]) => Promise<HandlerResult>;
}

export interface ConsumedDelivery extends Delivery {
  /** 1 at the first try. */
  readonly attempt: number;
}

export interface HandlerResult {
  readonly rejected: readonly { readonly cursor: string; readonly reason: string }[];
}

export interface Consumer {
  /** Events appended and not yet acknowledged by this group, over all shards; null when unknown. */
  lag(): Promise<ConsumerLag>;
  /** Finishes the batch in hand, acknowledges it, gives its shards free. */
  stop(): Promise<void>;
}

export interface ConsumerLag {
  readonly pendingEvents: number;
  /** Age of the oldest event not yet acknowledged, 0 when there is none. */
  readonly oldestMs: number;
}

export interface DeadLetter {
  readonly id: string;
  readonly at: number;
  /** The group that gave up, or `ingest` for a message that never became an event. */
  readonly group: string;
  /** Why, sanitised: no personal data, no stack. */
  readonly reason: string;
  readonly attempts: number;
  readonly channelId: ChannelId | null;
  /** The original message: an event as JSON, or the provider's bytes in base64. */
  readonly message: string;
}

export interface LeaseProof {
  readonly name: string;
  readonly ownerId: string;
  /** Rises with every taking; an append with an older one is refused. */
  readonly epoch: number;
}

export interface Lease extends LeaseProof {
  /** Prolongs the lease. False when it has been lost: stop publishing at once. @throws DependencyError when unknown. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

export interface Presence {
  beat(entry: {
    readonly channelId: ChannelId;
    readonly kind: string;
    readonly connectionId: string;
    readonly ttlMs: number;
  }): Promise<void>;
  leave(entry: {
    readonly channelId: ChannelId;
    readonly kind: string;
    readonly connectionId: string;
  }): Promise<void>;
  count(entry: { readonly channelId: ChannelId; readonly kind: string }): Promise<number>;
}

export interface BusHealth {
  readonly kind: 'redis' | 'in-process';
  readonly reachable: boolean;
  /** What an operator should know, e.g. that Redis does not keep its data over a restart. */
  readonly warnings: readonly string[];
}

/** Somebody else holds the lease now. The producer must stop; what it had not appended is the new holder's. */
export class StaleLeaseError extends Error {
  override readonly name = 'StaleLeaseError';
}
