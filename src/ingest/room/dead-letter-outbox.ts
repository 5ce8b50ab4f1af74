import type { EventBus } from '../../bus/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId } from '../../lib/ids.ts';
import type { IngestMetrics } from '../ingest-metrics.ts';
import type { UndecodableMessage } from '../normalise/normaliser.ts';

/** Undecodable messages waiting to be kept. A flood of them must not cost memory: what is above is counted only. */
const WAITING_MAX = 256;

/** Bytes of a message that are kept: enough to find out what it was; base64 of it fits the bus's limit for a letter. */
const KEPT_BYTES_MAX = 48 * 1024;

/** Undecodable messages on their way to the dead letters, beside the path of events: they never hold it up. */
export class DeadLetterOutbox {
  readonly #deps: { readonly bus: EventBus; readonly clock: Clock; readonly metrics: IngestMetrics };
  readonly #channelId: ChannelId;
  readonly #waiting: UndecodableMessage[] = [];
  #sending: Promise<void> | null = null;

  constructor(
    deps: { readonly bus: EventBus; readonly clock: Clock; readonly metrics: IngestMetrics },
    channelId: ChannelId,
  ) {
    this.#deps = deps;
    this.#channelId = channelId;
  }

  /** Takes messages in; beyond the limit they are counted as dropped. */
  post(messages: readonly UndecodableMessage[]): void {
    for (const message of messages) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(message);
      else this.#deps.metrics.deadLetters.inc({ outcome: 'dropped' });
    }
    if (this.#waiting.length > 0) this.#sending ??= this.#send();
  }

  /** Resolves when what was posted so far is kept, or dropped. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  /** Never rejects: a letter that the bus does not take is dropped and counted. */
  async #send(): Promise<void> {
    const { bus, clock, metrics } = this.#deps;
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      try {
        await bus.addDeadLetter({
          at: clock.nowMs(),
          group: 'ingest',
          reason: `${message.rawType} did not decode: ${message.error}`,
          attempts: 1,
          channelId: this.#channelId,
          message: Buffer.from(message.bytes.subarray(0, KEPT_BYTES_MAX)).toString('base64'),
        });
        metrics.deadLetters.inc({ outcome: 'kept' });
      } catch {
        metrics.deadLetters.inc({ outcome: 'dropped' });
      }
    }
    this.#sending = null;
  }
}
