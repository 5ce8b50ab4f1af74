import { describe, expect, it } from 'vitest';
import type { SourceError } from '../../src/ingest/live-source.ts';
import { waitFor } from '../support/wait.ts';
import { openBudget, readMessages, simulatorFixture, sourceOf } from './support/source.ts';

const never = () => new AbortController().signal;

describe('order and back-pressure', () => {
  it('yields 10,000 numbered messages in order, none lost, none twice, across compressed and plain frames', async () => {
    await using simulator = await simulatorFixture();
    const room = simulator.room();
    const connection = await sourceOf(simulator).open({ handle: room.handle, signal: never() });
    await waitFor(() => room.viewers === 1);
    const reading = readMessages(connection, 10_000);
    for (let start = 0; start < 10_000; start += 10) {
      const messages = Array.from({ length: 10 }, (_, index) =>
        room.message('WebcastChatMessage', { content: `${start + index}` }),
      );
      // Every third frame is compressed, so the stock connector would overtake it with the next.
      await room.sendFrame(messages, { gzip: start % 30 === 0 });
    }
    const read = await reading;
    const numbers = read.map((message) =>
      message.content.kind === 'DECODED' ? Number(message.content.data['content']) : Number.NaN,
    );
    expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
    expect(new Set(read.map((message) => message.messageId)).size).toBe(10_000);
    await waitFor(() => room.counters.acknowledgements === 1_000);
    await connection.close();
  });
});

describe('failures', () => {
  it.each([
    ['offline', 'OFFLINE'],
    ['nobody_has_this', 'UNKNOWN_HANDLE'],
    ['restricted', 'AGE_RESTRICTED'],
    ['blocked', 'BLOCKED'],
  ])('tells %s apart as %s', async (handle, failure) => {
    await using simulator = await simulatorFixture();
    const opening = sourceOf(simulator).open({ handle, signal: never() });
    await expect(opening).rejects.toMatchObject({ name: 'SourceError', failure });
  });

  it('reads the 429 of the sign server and tells the budget', async () => {
    await using simulator = await simulatorFixture({ faults: [{ name: '429', value: 7 }] });
    const budget = openBudget();
    const before = Date.now();
    const error = await sourceOf(simulator, { signBudget: budget })
      .open({ handle: 'simulated', signal: never() })
      .catch((reason: unknown) => reason as SourceError);
    expect(error).toMatchObject({ failure: 'RATE_LIMITED', retryAfterMs: 7_000 });
    expect(budget.blockedUntil).toBeGreaterThanOrEqual(before + 7_000);
  });
});
