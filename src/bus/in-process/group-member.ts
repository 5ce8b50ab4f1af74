import type { Logger } from '../../lib/logger.ts';
import { nextTurn, pause, withinMs } from '../../lib/pause.ts';
import { type BatchDeliveryDeps, deliverBatch, type GivenUp } from '../batch-delivery.ts';
import type { ConsumedDelivery, ConsumeOptions, Consumer, ConsumerLag } from '../port.ts';
import type { LocalGroup } from './group.ts';

/** What a member needs of the bus around it. */
export interface GroupMemberDeps {
  readonly group: LocalGroup;
  readonly logger: Logger;
  readonly random: () => number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  readonly stopWaitMs: number;
  readonly recordDeadLetter: (letter: GivenUp) => void;
  /** Called after an acknowledgement: there may be room in the log. */
  readonly acknowledged: () => void;
}

/** One member of a group: reads when it is its turn, hands batches to the handler, acknowledges. */
export class GroupMember implements Consumer {
  readonly #deps: GroupMemberDeps;
  readonly #options: ConsumeOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #inHand: readonly ConsumedDelivery[] = [];
  /** Set when a hanging handler was given up: whatever it still does no longer counts. */
  #abandoned: boolean = false;

  constructor(deps: GroupMemberDeps, options: ConsumeOptions) {
    this.#deps = deps;
    this.#options = options;
    deps.group.join(this);
    this.#running = this.#run();
  }

  async lag(): Promise<ConsumerLag> {
    return this.#deps.group.lag();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#deps.group.wake();
    if ((await withinMs(this.#running, this.#deps.stopWaitMs)) !== 'TIMED_OUT') return;
    this.#abandoned = true;
    this.#leave();
    const { group, consumerId } = this.#options;
    this.#deps.logger.error({ group, consumerId, events: this.#inHand.length }, 'bus.handler_abandoned');
  }

  async #run(): Promise<void> {
    const { group } = this.#deps;
    const delivery: BatchDeliveryDeps = {
      ...this.#deps,
      consume: this.#options,
      signal: this.#stopping.signal,
      settle: async (batch, givenUp) => this.#settle(batch, givenUp),
      attempted: async (batch) => {
        if (!this.#abandoned) group.recordAttempts(batch);
      },
    };
    while (await this.#turn()) {
      this.#inHand = group.read(this.#options.batchMax);
      if ((await deliverBatch(delivery, this.#inHand)) === 'LEFT') break;
    }
    if (!this.#abandoned) this.#leave();
  }

  /** Waits until there is a batch to take; false when it is time to stop. */
  async #turn(): Promise<boolean> {
    const { signal } = this.#stopping;
    while (!signal.aborted && !this.#deps.group.isReady(this)) await this.#deps.group.changed();
    // One turn of the event loop between batches, so that a flood does not starve sockets and timers.
    await (this.#options.lingerMs > 0 ? pause(this.#options.lingerMs, signal) : nextTurn());
    return !signal.aborted;
  }

  #settle(batch: readonly ConsumedDelivery[], givenUp: readonly GivenUp[]): void {
    if (this.#abandoned) return;
    for (const letter of givenUp) this.#deps.recordDeadLetter(letter);
    this.#deps.group.acknowledge(batch.length);
    this.#inHand = this.#inHand.slice(batch.length);
    this.#deps.acknowledged();
  }

  /** Leaves the group; what is in hand and not acknowledged counts as tried once more. */
  #leave(): void {
    const attempted = this.#inHand.map((delivery) => ({ ...delivery, attempt: delivery.attempt + 1 }));
    this.#deps.group.recordAttempts(attempted);
    this.#deps.group.leave(this);
  }
}
