import { createHash } from 'node:crypto';
import type { ConsumedDelivery, ConsumeOptions, EventBus } from '../../src/bus/port.ts';
import type { EventDraft } from '../../src/events/unified-event.ts';
import { type ChannelId, newId } from '../../src/lib/ids.ts';

/** What a test may set of a bus; short waits by default, so that retries do not take the test's time. */
export interface BusSettings {
  readonly streamEventsMax?: number;
  readonly appendWaitMs?: number;
  readonly stopWaitMs?: number;
}

/** Short waits for every test bus. */
export const TEST_SETTINGS = {
  streamEventsMax: 50_000,
  appendWaitMs: 5_000,
  stopWaitMs: 2_000,
  retryBaseMs: 5,
  retryMaxMs: 40,
} as const;

/** A bus of one test's own; closed and its data removed when disposed. */
export interface TestBus extends AsyncDisposable {
  readonly bus: EventBus;
}

export function newChannel(): ChannelId {
  return newId('channel', Date.now());
}

/** A chat message whose text is its number; the same channel and number give the same event id. */
export function chat(channelId: ChannelId, number: number): EventDraft {
  return {
    schemaVersion: '1',
    eventId: createHash('sha256').update(`${channelId}:${number}`).digest('hex'),
    eventType: 'CHAT',
    triggerId: 1,
    provider: 'TIKTOK',
    channelId,
    streamId: STREAM_ID,
    sessionId: SESSION_ID,
    timestamp: 1_700_000_000_000 + number,
    ingestedAt: 1_700_000_000_500 + number,
    source: 'LIVE',
    history: false,
    user: null,
    payload: { message: `message ${number} – grüß dich 🎁\nnew line`, emotes: [], language: null },
  };
}

const STREAM_ID = newId('stream', 1_700_000_000_000);
const SESSION_ID = newId('session', 1_700_000_000_000);

/** Chat messages numbered from `first`. */
export function chats(channelId: ChannelId, count: number, first = 1): readonly EventDraft[] {
  return Array.from({ length: count }, (_, index) => chat(channelId, first + index));
}

/** Appends without a lease. */
export function append(bus: EventBus, channelId: ChannelId, events: readonly EventDraft[]) {
  return bus.append({ channelId, lease: null, sequenceFloor: 0, events });
}

/** The numbers of what was delivered, in order. */
export function numbersOf(deliveries: readonly { readonly event: { readonly timestamp: number } }[]) {
  return deliveries.map(({ event }) => event.timestamp - 1_700_000_000_000);
}

/** Whole numbers from `first`, `count` of them. */
export function range(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** Consumer options with a handler; the rest as most tests want it. */
export function consuming(
  handler: ConsumeOptions['handler'],
  options: Partial<Omit<ConsumeOptions, 'handler'>> = {},
): ConsumeOptions {
  return {
    group: 'storage',
    consumerId: `consumer-${createHash('sha256').update(String(performance.now())).digest('hex').slice(0, 8)}`,
    batchMax: 100,
    lingerMs: 0,
    attemptsMax: 3,
    handler,
    ...options,
  };
}

/** Collects everything a group is given. */
export async function collect(
  bus: EventBus,
  options: Partial<Omit<ConsumeOptions, 'handler'>> = {},
): Promise<{ readonly seen: ConsumedDelivery[]; stop(): Promise<void> }> {
  const seen: ConsumedDelivery[] = [];
  const consumer = await bus.consume(
    consuming(async (batch) => {
      seen.push(...batch);
      return { rejected: [] };
    }, options),
  );
  return { seen, stop: () => consumer.stop() };
}

/** A gate that handlers wait at. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
