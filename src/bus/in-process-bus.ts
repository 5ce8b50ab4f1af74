import { DependencyError } from '../errors/errors.ts';
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelId } from '../lib/ids.ts';
import { createLogger, type Logger } from '../lib/logger.ts';
import { randomFraction } from '../lib/random.ts';
import { LocalDeadLetters } from './in-process/dead-letters.ts';
import { DedupeWindow } from './in-process/dedupe-window.ts';
import { EventLog } from './in-process/event-log.ts';
import { LocalGroup } from './in-process/group.ts';
import { GroupMember } from './in-process/group-member.ts';
import { Leases } from './in-process/leases.ts';
import { LocalPresence } from './in-process/presence.ts';
import { APPEND_WAIT_MS, RETRY_BASE_MS, RETRY_MAX_MS, STOP_WAIT_MS } from './limits.ts';
import type {
  AppendOutcome,
  AppendRequest,
  BusHealth,
  ConsumedDelivery,
  ConsumeOptions,
  Consumer,
  DeadLetter,
  Delivery,
  EventBus,
  Lease,
  LiveSubscriber,
  Presence,
  Unsubscribe,
} from './port.ts';
import { StaleLeaseError } from './port.ts';
import { Subscribers } from './subscribers.ts';

/** What the in-process bus is made with. */
export interface InProcessBusOptions {
  readonly clock: Clock;
  /** Silent when left out. */
  readonly logger?: Logger;
  /** Events kept at most; reached when consumers are behind, and then appends wait. Default 20,000: some 40 MB. */
  readonly streamEventsMax?: number;
  /** How long an append waits for room, in milliseconds. */
  readonly appendWaitMs?: number;
  /** Back-off after a first failure, and at most, in milliseconds. */
  readonly retryBaseMs?: number;
  readonly retryMaxMs?: number;
  /** How long `Consumer.stop` waits for a handler, in milliseconds. */
  readonly stopWaitMs?: number;
  /** A number in [0, 1) for the jitter. */
  readonly random?: () => number;
}

/** Appends that may wait for room at a time; a further one is refused at once. */
const APPENDS_WAITING_MAX = 1_000;

interface ChannelHead {
  sequence: number;
  readonly state: Map<string, string>;
  readonly seen: DedupeWindow;
}

interface WaitingAppend {
  readonly request: AppendRequest;
  readonly settled: PromiseWithResolvers<readonly AppendOutcome[]>;
  readonly timer: NodeJS.Timeout;
}

/**
 * The bus within one process: the embedded default. Nothing survives the process; the rest of the port's promises hold.
 * Events are passed by reference, never copied. When the slowest group is `streamEventsMax` events behind, appends wait,
 * in their order, and are refused (retryable) after `appendWaitMs`: an unacknowledged event is never dropped for a newer
 * one. A group is read by one member at a time, the others stand by.
 */
export function createInProcessBus(options: InProcessBusOptions): EventBus {
  return new InProcessBus(options);
}

class InProcessBus implements EventBus {
  readonly presence: Presence;
  readonly #options: Required<InProcessBusOptions>;
  readonly #leases: Leases;
  readonly #log = new EventLog();
  readonly #channels = new Map<ChannelId, ChannelHead>();
  readonly #groups = new Map<string, LocalGroup>();
  readonly #members = new Set<Consumer>();
  readonly #live: Subscribers<Delivery>;
  readonly #topics: Subscribers<string>;
  readonly #letters = new LocalDeadLetters();
  #waiting: WaitingAppend[] = [];
  /** Live deliveries not yet given out; longer than one append only when a listener appends. */
  #outbox: (readonly Delivery[])[] = [];
  #publishing: boolean = false;
  #closed: boolean = false;

  constructor(options: InProcessBusOptions) {
    this.#options = {
      logger: createLogger('silent'),
      streamEventsMax: 20_000,
      appendWaitMs: APPEND_WAIT_MS,
      retryBaseMs: RETRY_BASE_MS,
      retryMaxMs: RETRY_MAX_MS,
      stopWaitMs: STOP_WAIT_MS,
      random: randomFraction,
      ...options,
    };
    this.#leases = new Leases(options.clock);
    this.#live = new Subscribers(this.#options.logger);
    this.#topics = new Subscribers(this.#options.logger);
    this.presence = new LocalPresence(options.clock);
  }

  async append(request: AppendRequest): Promise<readonly AppendOutcome[]> {
    this.#assertOpen();
    if (this.#waiting.length === 0 && this.#hasRoom()) return this.#appendNow(request);
    if (this.#waiting.length >= APPENDS_WAITING_MAX) throw fullError();
    return this.#appendLater(request);
  }

  async readState(channelId: ChannelId): Promise<ReadonlyMap<string, string>> {
    return new Map(this.#channels.get(channelId)?.state);
  }

  async lastSequence(channelId: ChannelId): Promise<number> {
    return this.#channels.get(channelId)?.sequence ?? 0;
  }

  async subscribe(channelId: ChannelId, subscriber: LiveSubscriber): Promise<Unsubscribe> {
    this.#assertOpen();
    const remove = this.#live.add(channelId, subscriber.listener);
    return async () => remove();
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    this.#assertOpen();
    assert(options.batchMax >= 1 && options.attemptsMax >= 1, 'a batch and its attempts are at least one');
    const group =
      this.#groups.get(options.group) ?? new LocalGroup({ log: this.#log, clock: this.#options.clock });
    this.#groups.set(options.group, group);
    const member = new GroupMember(
      {
        ...this.#options,
        group,
        acknowledged: () => this.#makeRoom(),
        recordDeadLetter: ({ delivery, reason }) => this.#recordGivenUp(options.group, delivery, reason),
      },
      options,
    );
    const consumer: Consumer = {
      lag: () => member.lag(),
      stop: async () => {
        this.#members.delete(consumer);
        await member.stop();
      },
    };
    this.#members.add(consumer);
    return consumer;
  }

  async deadLetters(query: {
    readonly group?: string;
    readonly limit: number;
  }): Promise<readonly DeadLetter[]> {
    return this.#letters.list(query);
  }

  async addDeadLetter(letter: Omit<DeadLetter, 'id'>): Promise<void> {
    this.#letters.add(letter);
  }

  async acquireLease(request: {
    readonly name: string;
    readonly ownerId: string;
    readonly ttlMs: number;
  }): Promise<Lease | null> {
    this.#assertOpen();
    return this.#leases.acquire(request);
  }

  async notify(topic: string, payload: string): Promise<void> {
    this.#topics.emit(topic, payload);
  }

  async listen(topic: string, listener: (payload: string) => void): Promise<Unsubscribe> {
    this.#assertOpen();
    const remove = this.#topics.add(topic, listener);
    return async () => remove();
  }

  async health(): Promise<BusHealth> {
    return { kind: 'in-process', reachable: !this.#closed, warnings: [] };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { timer, settled } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      settled.reject(closedError());
    }
    await Promise.all([...this.#members].map((member) => member.stop()));
    this.#live.clear();
    this.#topics.clear();
  }

  /** The append itself, in one synchronous step: nothing comes between its checks and its effects. */
  #appendNow(request: AppendRequest): readonly AppendOutcome[] {
    const { channelId, lease, events, stateChanges } = request;
    assert(lease === null || lease.name.endsWith(channelId), "a producer's lease is named after its channel");
    if (lease !== null && !this.#leases.isCurrent(lease)) {
      throw new StaleLeaseError(`the lease ${lease.name} of epoch ${lease.epoch} has been taken over`);
    }
    const nowMs = this.#options.clock.nowMs();
    const head = this.#headOf(channelId, nowMs);
    head.sequence = Math.max(head.sequence, request.sequenceFloor);
    head.seen.turn(nowMs);
    const outcomes: AppendOutcome[] = [];
    const appended: Delivery[] = [];
    for (const draft of events) {
      assert(draft.channelId === channelId, 'all events of an append are of its channel');
      if (!head.seen.add(draft.eventId)) {
        outcomes.push({ kind: 'DUPLICATE' });
        continue;
      }
      head.sequence += 1;
      const cursor = `${this.#log.end}-0`;
      const delivery: ConsumedDelivery = {
        cursor,
        event: { ...draft, sequence: head.sequence },
        attempt: 1,
      };
      this.#log.push(delivery, nowMs);
      appended.push(delivery);
      outcomes.push({ kind: 'APPENDED', sequence: head.sequence, cursor });
    }
    for (const field of stateChanges?.delete ?? []) head.state.delete(field);
    for (const [field, value] of Object.entries(stateChanges?.set ?? {})) head.state.set(field, value);
    for (const group of this.#groups.values()) group.wake();
    this.#publish(appended);
    return outcomes;
  }

  #appendLater(request: AppendRequest): Promise<readonly AppendOutcome[]> {
    const settled = Promise.withResolvers<readonly AppendOutcome[]>();
    const timer = setTimeout(() => {
      this.#waiting = this.#waiting.filter((waiting) => waiting.settled !== settled);
      settled.reject(fullError());
    }, this.#options.appendWaitMs);
    this.#waiting.push({ request, settled, timer });
    return settled.promise;
  }

  #headOf(channelId: ChannelId, nowMs: number): ChannelHead {
    const known = this.#channels.get(channelId);
    if (known !== undefined) return known;
    const head: ChannelHead = { sequence: 0, state: new Map(), seen: new DedupeWindow(nowMs) };
    this.#channels.set(channelId, head);
    return head;
  }

  /** Whether an append may go ahead; without any group the oldest events make room. */
  #hasRoom(): boolean {
    const max = this.#options.streamEventsMax;
    if (this.#log.length < max) return true;
    const holding = [...this.#groups.values()].filter((group) => group.holdsBack());
    const needed = Math.min(...holding.map((group) => group.next), this.#log.end - Math.floor(max * 0.9));
    this.#log.dropBelow(needed);
    return this.#log.length < max;
  }

  /** After an acknowledgement: forgets what every group has read, and lets waiting appends in, oldest first. */
  #makeRoom(): void {
    this.#log.dropBelow(Math.min(...[...this.#groups.values()].map((group) => group.next)));
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      clearTimeout(next.timer);
      try {
        next.settled.resolve(this.#appendNow(next.request));
      } catch (error) {
        next.settled.reject(error);
      }
    }
  }

  /** Gives deliveries to the channel's listeners. One that appends from within is served after, so order holds for all. */
  #publish(deliveries: readonly Delivery[]): void {
    const channelId = deliveries[0]?.event.channelId;
    if (channelId === undefined || !this.#live.has(channelId)) return;
    this.#outbox.push(deliveries);
    if (this.#publishing) return;
    this.#publishing = true;
    for (let next = this.#outbox.shift(); next !== undefined; next = this.#outbox.shift()) {
      for (const delivery of next) this.#live.emit(delivery.event.channelId, delivery);
    }
    this.#publishing = false;
  }

  #recordGivenUp(group: string, delivery: ConsumedDelivery, reason: string): void {
    this.#letters.add({
      at: this.#options.clock.nowMs(),
      group,
      reason,
      attempts: delivery.attempt,
      channelId: delivery.event.channelId,
      message: JSON.stringify(delivery.event),
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}

function fullError(): DependencyError {
  return new DependencyError('the event bus is full: its consumers are behind', {
    dependency: 'bus',
    retryable: true,
  });
}

function closedError(): DependencyError {
  return new DependencyError('the event bus is closed', { dependency: 'bus', retryable: false });
}
