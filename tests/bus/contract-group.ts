import { describe, expect, it } from 'vitest';
import type { ConsumedDelivery } from '../../src/bus/port.ts';
import { DependencyError } from '../../src/errors/errors.ts';
import { waitFor } from '../support/wait.ts';
import type { OpenTestBus } from './contract.ts';
import { append, chat, chats, collect, consuming, gate, newChannel, numbersOf, range } from './support.ts';

/** Consumer groups: delivery, retries, dead letters, lag. */
export function describeGroupContract(open: OpenTestBus): void {
  describe('groups', () => {
    it('gives every group every event, also those appended before it began', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      await append(bus, channelId, chats(channelId, 10));
      const storage = await collect(bus, { group: 'storage' });
      const rules = await collect(bus, { group: 'rules' });
      await append(bus, channelId, chats(channelId, 10, 11));
      await waitFor(() => storage.seen.length >= 20 && rules.seen.length >= 20);
      expect(numbersOf(storage.seen)).toEqual(range(1, 20));
      expect(numbersOf(rules.seen)).toEqual(range(1, 20));
      expect(storage.seen.map(({ attempt }) => attempt)).toEqual(range(1, 20).map(() => 1));
    });

    it('goes on where it stopped, and delivers nothing again that was acknowledged', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const first = await collect(bus);
      await append(bus, channelId, chats(channelId, 10));
      await waitFor(() => first.seen.length === 10);
      await first.stop();
      await append(bus, channelId, chats(channelId, 5, 11));
      const second = await collect(bus);
      await waitFor(() => second.seen.length >= 5);
      expect(numbersOf(second.seen)).toEqual(range(11, 5));
      expect(numbersOf(first.seen)).toEqual(range(1, 10));
    });

    it('never hands out more than the batch limit', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      await append(bus, channelId, chats(channelId, 50));
      const sizes: number[] = [];
      await bus.consume(
        consuming(
          async (batch) => {
            sizes.push(batch.length);
            return { rejected: [] };
          },
          { batchMax: 8, lingerMs: 5 },
        ),
      );
      await waitFor(() => sizes.reduce((sum, size) => sum + size, 0) === 50);
      expect(Math.max(...sizes)).toBe(8);
    });

    it('waits the linger for a fuller batch', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const batches: (readonly number[])[] = [];
      await bus.consume(
        consuming(
          async (batch) => {
            batches.push(numbersOf(batch));
            return { rejected: [] };
          },
          { lingerMs: 1_000 },
        ),
      );
      for (const number of range(1, 5)) await append(bus, channelId, [chat(channelId, number)]);
      await waitFor(() => batches.length > 0);
      expect(batches).toEqual([range(1, 5)]);
    });

    it('keeps a channel in order and in one hand at a time over several members', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channels = range(0, 6).map(() => newChannel());
      const inHand = new Set<string>();
      const overlaps: string[] = [];
      const seen: ConsumedDelivery[] = [];
      const handler = async (batch: readonly ConsumedDelivery[]) => {
        const ids = new Set(batch.map(({ event }) => event.channelId));
        for (const id of ids) {
          if (inHand.has(id)) overlaps.push(id);
          inHand.add(id);
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
        seen.push(...batch);
        for (const id of ids) inHand.delete(id);
        return { rejected: [] };
      };
      for (const consumerId of ['a', 'b', 'c']) {
        await bus.consume(consuming(handler, { consumerId, batchMax: 9 }));
      }
      for (const first of range(0, 20)) {
        await Promise.all(channels.map((id) => append(bus, id, chats(id, 5, first * 5 + 1))));
      }
      await waitFor(() => seen.length >= 600, { timeoutMs: 20_000 });
      expect(overlaps).toEqual([]);
      for (const channelId of channels) {
        expect(numbersOf(seen.filter(({ event }) => event.channelId === channelId))).toEqual(range(1, 100));
      }
    });

    it('finishes and acknowledges the batch in hand at stop', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const { opened, open: release } = gate();
      const handled: number[] = [];
      let begun = 0;
      const first = await bus.consume(
        consuming(async (batch) => {
          begun += batch.length;
          await opened;
          handled.push(...numbersOf(batch));
          return { rejected: [] };
        }),
      );
      await append(bus, channelId, chats(channelId, 3));
      await waitFor(() => begun > 0);
      let stopped = false;
      const stopping = first.stop().then(() => {
        stopped = true;
      });
      const second = await collect(bus, { consumerId: 'second' });
      expect(stopped).toBe(false);
      release();
      await stopping;
      await append(bus, channelId, [chat(channelId, 4)]);
      await waitFor(() => numbersOf(second.seen).includes(4));
      expect(handled).toEqual(range(1, begun));
      expect([...handled, ...numbersOf(second.seen)]).toEqual([1, 2, 3, 4]);
    });

    it('delivers again what an abandoned member had in hand, and loses nothing when its handler returns late', async () => {
      await using fixture = await open({ stopWaitMs: 100 });
      const { bus } = fixture;
      const channelId = newChannel();
      const late = gate();
      let begun = 0;
      const hanging = await bus.consume(
        consuming(async (batch) => {
          begun += batch.length;
          await late.opened;
          return { rejected: [] };
        }),
      );
      await append(bus, channelId, chats(channelId, 4));
      await waitFor(() => begun > 0);
      await hanging.stop();
      const inHand: ConsumedDelivery[] = [];
      const seen: ConsumedDelivery[] = [];
      const { opened, open: release } = gate();
      await bus.consume(
        consuming(async (batch) => {
          inHand.push(...batch);
          await opened;
          seen.push(...batch);
          return { rejected: [] };
        }),
      );
      await waitFor(() => inHand.length >= begun);
      late.open();
      await append(bus, channelId, chats(channelId, 10, 5));
      release();
      await waitFor(() => seen.length >= 14);
      expect(numbersOf(seen)).toEqual(range(1, 14));
      expect(seen.slice(0, begun).map(({ attempt }) => attempt)).toEqual(range(1, begun).map(() => 2));
    });

    it('tells how much is not acknowledged and how old the oldest of it is', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channels = [newChannel(), newChannel(), newChannel()];
      const { opened, open: release } = gate();
      const consumer = await bus.consume(
        consuming(
          async () => {
            await opened;
            return { rejected: [] };
          },
          { batchMax: 2 },
        ),
      );
      expect(await consumer.lag()).toEqual({ pendingEvents: 0, oldestMs: 0 });
      for (const channelId of channels) await append(bus, channelId, chats(channelId, 5));
      const lag = await waitFor(async () => {
        const now = await consumer.lag();
        return now.oldestMs >= 20 ? now : undefined;
      });
      expect(lag.pendingEvents).toBe(15);
      release();
      await waitFor(async () => (await consumer.lag()).pendingEvents === 0);
      expect(await consumer.lag()).toEqual({ pendingEvents: 0, oldestMs: 0 });
    });
  });

  describe('failing handlers', () => {
    it('delivers a failed batch again with the next attempt number, and in order before anything newer', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const attempts: { readonly numbers: readonly number[]; readonly attempt: number }[] = [];
      await append(bus, channelId, chats(channelId, 3));
      await bus.consume(
        consuming(
          async (batch) => {
            attempts.push({ numbers: numbersOf(batch), attempt: batch[0]?.attempt ?? 0 });
            if (attempts.length === 1) await append(bus, channelId, [chat(channelId, 4)]);
            if (attempts.length <= 2) throw new Error('not yet');
            return { rejected: [] };
          },
          { attemptsMax: 5 },
        ),
      );
      await waitFor(() => attempts.length >= 4);
      expect(attempts).toEqual([
        { numbers: [1, 2, 3], attempt: 1 },
        { numbers: [1, 2, 3], attempt: 2 },
        { numbers: [1, 2, 3], attempt: 3 },
        { numbers: [4], attempt: 1 },
      ]);
      expect(await bus.deadLetters({ limit: 10 })).toEqual([]);
    });

    it('isolates the event that fails: bounded attempts, then one by one, then a dead letter, and the rest goes on', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const calls: (readonly number[])[] = [];
      const handled: number[] = [];
      await append(bus, channelId, chats(channelId, 5));
      await bus.consume(
        consuming(
          async (batch) => {
            calls.push(numbersOf(batch));
            if (numbersOf(batch).includes(3)) throw new TypeError('cannot read "Jane, jane@example.org"');
            handled.push(...numbersOf(batch));
            return { rejected: [] };
          },
          { attemptsMax: 2 },
        ),
      );
      await waitFor(() => handled.length === 4);
      await append(bus, channelId, chats(channelId, 2, 6));
      await waitFor(() => handled.length === 6);
      expect(calls.slice(0, 7)).toEqual([range(1, 5), range(1, 5), [1], [2], [3], [4], [5]]);
      expect(handled).toEqual([1, 2, 4, 5, 6, 7]);
      const letters = await bus.deadLetters({ limit: 10 });
      expect(letters).toEqual([
        {
          id: expect.any(String),
          at: expect.any(Number),
          group: 'storage',
          // The error's own text might quote a viewer, so only its kind is kept.
          reason: 'TypeError',
          attempts: 3,
          channelId,
          message: expect.any(String),
        },
      ]);
      expect(JSON.parse(letters[0]?.message ?? '')).toEqual({ ...chat(channelId, 3), sequence: 3 });
    });

    it('gives a lone event all its attempts, then up', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const attempts: number[] = [];
      await bus.consume(
        consuming(async (batch) => {
          attempts.push(batch[0]?.attempt ?? 0);
          throw new DependencyError('the database refuses the row', {
            dependency: 'postgres',
            retryable: false,
          });
        }),
      );
      await append(bus, channelId, [chat(channelId, 1)]);
      const letters = await waitFor(async () => {
        const found = await bus.deadLetters({ limit: 10 });
        return found.length > 0 ? found : undefined;
      });
      expect(attempts).toEqual([1, 2, 3]);
      expect(letters).toMatchObject([
        { attempts: 3, reason: 'DependencyError: the database refuses the row' },
      ]);
    });

    it('[T-D6] goes on trying through an outage for as long as it takes, without blaming an event', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const attempts: number[] = [];
      await append(bus, channelId, chats(channelId, 2));
      await bus.consume(
        consuming(
          async (batch) => {
            attempts.push(batch[0]?.attempt ?? 0);
            if (attempts.length > 6) return { rejected: [] };
            throw new DependencyError('PostgreSQL is away', { dependency: 'postgres', retryable: true });
          },
          { attemptsMax: 2 },
        ),
      );
      await waitFor(() => attempts.length === 7);
      expect(attempts).toEqual([1, 1, 1, 1, 1, 1, 1]);
      expect(await bus.deadLetters({ limit: 10 })).toEqual([]);
    });

    it('puts what a handler rejects by name into the dead letters and acknowledges the batch', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const handled: number[] = [];
      await append(bus, channelId, chats(channelId, 4));
      const consumer = await bus.consume(
        consuming(async (batch) => {
          handled.push(...numbersOf(batch));
          const poor = batch.filter(({ event }) => event.sequence % 2 === 0);
          return {
            rejected: poor.map(({ cursor }) => ({
              cursor,
              reason: `row refused\u0000\u001b[31m ${'x'.repeat(500)}\nat stack (file.ts:1)`,
            })),
          };
        }),
      );
      await waitFor(async () => (await consumer.lag()).pendingEvents === 0);
      expect(handled).toEqual([1, 2, 3, 4]);
      const letters = await bus.deadLetters({ group: 'storage', limit: 10 });
      expect(letters.map(({ message }) => JSON.parse(message).sequence)).toEqual([2, 4]);
      for (const { reason, attempts } of letters) {
        expect(reason).toMatch(/^row refused {2}\[31m x+$/);
        expect(reason).toHaveLength(200);
        expect(attempts).toBe(1);
      }
    });
  });

  describe('dead letters', () => {
    const letter = (group: string, message: string) => ({
      at: 1_700_000_000_000,
      group,
      reason: 'undecodable',
      attempts: 0,
      channelId: null,
      message,
    });

    it('are listed oldest first, by group, up to the limit', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      for (const name of ['a', 'b', 'c']) {
        await bus.addDeadLetter(letter('ingest', name));
        await bus.addDeadLetter(letter('storage', `${name}!`));
      }
      const ofIngest = await bus.deadLetters({ group: 'ingest', limit: 2 });
      expect(ofIngest).toEqual([
        { ...letter('ingest', 'a'), id: expect.any(String) },
        { ...letter('ingest', 'b'), id: expect.any(String) },
      ]);
      const all = await bus.deadLetters({ limit: 100 });
      expect(all.map(({ message }) => message)).toEqual(['a', 'a!', 'b', 'b!', 'c', 'c!']);
    });

    it('[T-D1] are capped in number and in length, and a cut message says so', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      await bus.addDeadLetter(letter('ingest', 'y'.repeat(100_000)));
      const [long] = await bus.deadLetters({ limit: 1 });
      expect(long?.message).toBe('y'.repeat(64 * 1024));
      expect(long?.reason).toBe('undecodable (message cut from 100000 characters)');
      for (const page of range(0, 21)) {
        await Promise.all(
          range(0, 500).map((index) => bus.addDeadLetter(letter('ingest', `${page * 500 + index}`))),
        );
      }
      const letters = await bus.deadLetters({ limit: 20_000 });
      expect(letters.length).toBeGreaterThanOrEqual(10_000);
      // Redis cuts its streams by whole nodes of 100 entries.
      expect(letters.length).toBeLessThanOrEqual(10_100);
      expect(letters.at(-1)?.message).toBe('10499');
    });
  });
}
