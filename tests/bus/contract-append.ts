import { describe, expect, it } from 'vitest';
import { DependencyError } from '../../src/errors/errors.ts';
import { waitFor } from '../support/wait.ts';
import type { OpenTestBus } from './contract.ts';
import { append, chat, chats, collect, consuming, gate, newChannel, numbersOf, range } from './support.ts';

/** Order, sequences, duplicates, producer state, caps and back-pressure. */
export function describeAppendContract(open: OpenTestBus): void {
  describe('append', () => {
    it('numbers each channel from 1 and gives live readers and groups the one order, with the same cursors', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channels = [newChannel(), newChannel(), newChannel()];
      const live = new Map(channels.map((channelId) => [channelId, [] as unknown[]]));
      for (const channelId of channels) {
        await bus.subscribe(channelId, {
          listener: ({ cursor, event }) => live.get(channelId)?.push({ cursor, event }),
        });
      }
      const { seen } = await collect(bus, { batchMax: 7 });
      for (let first = 1; first <= 60; first += 6) {
        await Promise.all(channels.map((channelId) => append(bus, channelId, chats(channelId, 6, first))));
      }
      await waitFor(() => seen.length === 180);
      for (const channelId of channels) {
        const ofChannel = seen.filter(({ event }) => event.channelId === channelId);
        expect(ofChannel.map(({ event }) => event)).toEqual(
          chats(channelId, 60).map((draft, index) => ({ ...draft, sequence: index + 1 })),
        );
        await waitFor(() => live.get(channelId)?.length === 60);
        expect(live.get(channelId)).toEqual(ofChannel.map(({ cursor, event }) => ({ cursor, event })));
        expect(new Set(ofChannel.map(({ cursor }) => cursor)).size).toBe(60);
      }
    });

    it('refuses an id seen lately, in the same request too, and spends no sequence on it', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const { seen } = await collect(bus);
      await append(bus, channelId, [chat(channelId, 1), chat(channelId, 2)]);
      const outcomes = await append(bus, channelId, [
        chat(channelId, 2),
        chat(channelId, 3),
        chat(channelId, 3),
        chat(channelId, 4),
      ]);
      expect(outcomes).toEqual([
        { kind: 'DUPLICATE' },
        { kind: 'APPENDED', sequence: 3, cursor: expect.any(String) },
        { kind: 'DUPLICATE' },
        { kind: 'APPENDED', sequence: 4, cursor: expect.any(String) },
      ]);
      await append(bus, channelId, [chat(channelId, 5)]);
      await waitFor(() => seen.length >= 5);
      expect(numbersOf(seen)).toEqual([1, 2, 3, 4, 5]);
      expect(seen.map(({ event }) => event.sequence)).toEqual([1, 2, 3, 4, 5]);
    });

    it('[T-D1] remembers the ids of a channel for at least 20,000 events, and not for ever', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const first = [chat(channelId, 1)];
      await append(bus, channelId, first);
      for (let from = 2; from <= 20_002; from += 1_000)
        await append(bus, channelId, chats(channelId, 1_000, from));
      expect(await append(bus, channelId, first)).toEqual([{ kind: 'DUPLICATE' }]);
      for (let from = 30_000; from < 75_000; from += 1_000) {
        await append(bus, channelId, chats(channelId, 1_000, from));
      }
      expect(await append(bus, channelId, first)).toMatchObject([{ kind: 'APPENDED' }]);
    });

    it('appends a request far longer than one step in order, and all of it is a duplicate the second time', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const { seen } = await collect(bus, { batchMax: 500 });
      const events = chats(channelId, 3_500);
      const outcomes = await append(bus, channelId, events);
      expect(outcomes.map((outcome) => (outcome.kind === 'APPENDED' ? outcome.sequence : 0))).toEqual(
        range(1, 3_500),
      );
      const again = await append(bus, channelId, events);
      expect(again.every(({ kind }) => kind === 'DUPLICATE')).toBe(true);
      await waitFor(() => seen.length >= 3_500);
      expect(numbersOf(seen)).toEqual(range(1, 3_500));
      expect(await bus.lastSequence(channelId)).toBe(3_500);
    });

    it('continues above the sequence floor, and a lower floor changes nothing', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const request = { channelId, lease: null };
      expect(await bus.lastSequence(channelId)).toBe(0);
      const [first] = await bus.append({ ...request, sequenceFloor: 41, events: [chat(channelId, 1)] });
      const [second] = await bus.append({ ...request, sequenceFloor: 7, events: [chat(channelId, 2)] });
      expect([first, second]).toMatchObject([{ sequence: 42 }, { sequence: 43 }]);
      expect(await bus.lastSequence(channelId)).toBe(43);
    });

    it('keeps producer state beside the events: set, replaced, deleted, readable at once, per channel', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const request = { channelId, lease: null, sequenceFloor: 0 };
      expect(await bus.readState(channelId)).toEqual(new Map());
      await bus.append({
        ...request,
        events: [chat(channelId, 1)],
        stateChanges: { set: { likes: '10', 'streak:a': '3', 'streak:b': '1' } },
      });
      await bus.append({
        ...request,
        events: [],
        stateChanges: { set: { likes: '12' }, delete: ['streak:a', 'never'] },
      });
      expect(await bus.readState(channelId)).toEqual(
        new Map([
          ['likes', '12'],
          ['streak:b', '1'],
        ]),
      );
      expect(await bus.readState(newChannel())).toEqual(new Map());
    });

    it('applies the state of an append that is repeated after its answer was lost', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const request = {
        channelId,
        lease: null,
        sequenceFloor: 0,
        events: [chat(channelId, 1)],
        stateChanges: { set: { likes: '10' } },
      };
      await bus.append(request);
      expect(await bus.append(request)).toEqual([{ kind: 'DUPLICATE' }]);
      expect(await bus.readState(channelId)).toEqual(new Map([['likes', '10']]));
    });
  });

  describe('caps and back-pressure', () => {
    it('[T-D6] refuses appends when a group is a whole stream behind, and drops none of what it accepted', async () => {
      await using fixture = await open({ streamEventsMax: 100, appendWaitMs: 150 });
      const { bus } = fixture;
      const channelId = newChannel();
      const { opened, open: release } = gate();
      const seen: number[] = [];
      await bus.consume(
        consuming(
          async (batch) => {
            await opened;
            seen.push(...numbersOf(batch));
            return { rejected: [] };
          },
          { batchMax: 10 },
        ),
      );
      let accepted = 0;
      let refusal: unknown;
      while (refusal === undefined && accepted < 1_000) {
        try {
          await append(bus, channelId, chats(channelId, 10, accepted + 1));
          accepted += 10;
        } catch (error) {
          refusal = error;
        }
      }
      expect(refusal).toBeInstanceOf(DependencyError);
      expect(refusal).toMatchObject({ retryable: true, dependency: 'bus' });
      expect(accepted).toBeGreaterThanOrEqual(100);
      expect(accepted).toBeLessThanOrEqual(110);
      release();
      await waitFor(() => seen.length === accepted);
      const outcomes = await append(bus, channelId, chats(channelId, 10, accepted + 1));
      expect(outcomes[0]).toMatchObject({ kind: 'APPENDED', sequence: accepted + 1 });
      await waitFor(() => seen.length === accepted + 10);
      expect(seen).toEqual(range(1, accepted + 10));
    });

    it('[T-D1] makes a producer that is faster than its consumers wait, and loses nothing', async () => {
      await using fixture = await open({ streamEventsMax: 50, appendWaitMs: 10_000 });
      const { bus } = fixture;
      const channelId = newChannel();
      const { seen } = await collect(bus, { batchMax: 20 });
      await Promise.all(
        range(0, 20).map((step) => append(bus, channelId, chats(channelId, 20, step * 20 + 1))),
      );
      await waitFor(() => seen.length === 400);
      expect(seen.map(({ event }) => event.sequence)).toEqual(range(1, 400));
      expect(numbersOf(seen).toSorted((a, b) => a - b)).toEqual(range(1, 400));
    });

    it('keeps at most the cap when nobody consumes: the newest, without a hole', async () => {
      await using fixture = await open({ streamEventsMax: 100 });
      const { bus } = fixture;
      const channelId = newChannel();
      for (let first = 1; first <= 991; first += 10)
        await append(bus, channelId, chats(channelId, 10, first));
      const { seen } = await collect(bus);
      await waitFor(() => seen.at(-1)?.event.sequence === 1_000);
      expect(seen.length).toBeLessThanOrEqual(110);
      expect(seen.length).toBeGreaterThanOrEqual(10);
      expect(numbersOf(seen)).toEqual(range(1_000 - seen.length + 1, seen.length));
    });
  });
}
