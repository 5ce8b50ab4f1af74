import { describe, expect, it } from 'vitest';
import { type LeaseProof, StaleLeaseError } from '../../src/bus/port.ts';
import { waitFor } from '../support/wait.ts';
import type { OpenTestBus } from './contract.ts';
import { chat, chats, collect, newChannel, numbersOf } from './support.ts';

/** Leases, and fencing by them. */
export function describeLeaseContract(open: OpenTestBus): void {
  describe('leases', () => {
    it('is held by one owner at a time, and each taking has a higher epoch', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const name = `room:${newChannel()}`;
      const first = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 60_000 });
      expect(first).toMatchObject({ name, ownerId: 'a' });
      expect(await bus.acquireLease({ name, ownerId: 'b', ttlMs: 60_000 })).toBeNull();
      expect(await first?.renew()).toBe(true);
      await first?.release();
      const second = await bus.acquireLease({ name, ownerId: 'b', ttlMs: 60_000 });
      expect(second?.epoch).toBeGreaterThan(first?.epoch ?? Number.POSITIVE_INFINITY);
      expect(await first?.renew()).toBe(false);
      // A former owner's release does not touch the lease of the present one.
      await first?.release();
      expect(await second?.renew()).toBe(true);
    });

    it('goes to exactly one of many who ask at once', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const name = `room:${newChannel()}`;
      const owners = Array.from({ length: 20 }, (_, index) => `owner-${index}`);
      const taken = await Promise.all(
        owners.map((ownerId) => bus.acquireLease({ name, ownerId, ttlMs: 60_000 })),
      );
      expect(taken.filter((lease) => lease !== null)).toHaveLength(1);
    });

    it('is taken over when it was not renewed in time; until then its holder goes on publishing', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const name = `room:${channelId}`;
      const first = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 50 });
      const second = await waitFor(() => bus.acquireLease({ name, ownerId: 'b', ttlMs: 60_000 }));
      expect(second.epoch).toBeGreaterThan(first?.epoch ?? Number.POSITIVE_INFINITY);
      expect(await first?.renew()).toBe(false);
      const third = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 60_000 });
      expect(third).toBeNull();
    });

    it('lets an expired lease that nobody took append and be renewed', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const lease = await bus.acquireLease({ name: `room:${channelId}`, ownerId: 'a', ttlMs: 1 });
      const asked = performance.now();
      await waitFor(() => performance.now() - asked > 20);
      const outcomes = await bus.append({
        channelId,
        lease,
        sequenceFloor: 0,
        events: [chat(channelId, 1)],
      });
      expect(outcomes).toMatchObject([{ kind: 'APPENDED', sequence: 1 }]);
      expect(await lease?.renew()).toBe(true);
    });

    it('refuses an append under a stale lease whole: no event, no state, no sequence, nothing live', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const name = `room:${channelId}`;
      const live: number[] = [];
      await bus.subscribe(channelId, { listener: (delivery) => live.push(...numbersOf([delivery])) });
      const { seen } = await collect(bus);
      const first = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 60_000 });
      const request = { channelId, sequenceFloor: 0, stateChanges: { set: { by: 'a' } } };
      await bus.append({ ...request, lease: first, events: chats(channelId, 2) });
      await first?.release();
      const second = await bus.acquireLease({ name, ownerId: 'b', ttlMs: 60_000 });

      const stale: readonly (LeaseProof | null)[] = [
        first,
        { name, ownerId: 'b', epoch: (second?.epoch ?? 0) - 1 },
        { name, ownerId: 'b', epoch: (second?.epoch ?? 0) + 1 },
        { name, ownerId: 'a', epoch: second?.epoch ?? 0 },
      ];
      for (const lease of stale) {
        await expect(
          bus.append({
            ...request,
            lease,
            sequenceFloor: 500,
            events: chats(channelId, 3, 11),
            stateChanges: { set: { by: 'stale' } },
          }),
        ).rejects.toThrow(StaleLeaseError);
      }
      expect(await bus.lastSequence(channelId)).toBe(2);
      expect(await bus.readState(channelId)).toEqual(new Map([['by', 'a']]));

      await bus.append({ ...request, lease: second, events: [chat(channelId, 3)] });
      await waitFor(() => seen.length >= 3 && live.length >= 3);
      expect(numbersOf(seen)).toEqual([1, 2, 3]);
      expect(seen.map(({ event }) => event.sequence)).toEqual([1, 2, 3]);
      expect(live).toEqual([1, 2, 3]);
    });

    it('refuses an append under a lease that was never taken or given back', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const name = `room:${channelId}`;
      const request = { channelId, sequenceFloor: 0, events: [chat(channelId, 1)] };
      const never = { name, ownerId: 'a', epoch: 1 };
      await expect(bus.append({ ...request, lease: never })).rejects.toThrow(StaleLeaseError);
      const lease = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 60_000 });
      await lease?.release();
      await expect(bus.append({ ...request, lease })).rejects.toThrow(StaleLeaseError);
      expect(await bus.lastSequence(channelId)).toBe(0);
    });

    it('never lets two owners both append, however a takeover falls between their appends', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const name = `room:${channelId}`;
      const { seen } = await collect(bus);
      const first = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 30 });
      let refused = 0;
      const publishing = (async () => {
        for (let number = 1; refused === 0 && number < 100_000; number += 1) {
          try {
            const events = [chat(channelId, number)];
            await bus.append({ channelId, lease: first, sequenceFloor: 0, events });
          } catch (error) {
            expect(error).toBeInstanceOf(StaleLeaseError);
            refused = number;
          }
        }
      })();
      const second = await waitFor(() => bus.acquireLease({ name, ownerId: 'b', ttlMs: 60_000 }));
      const events = chats(channelId, 5, 1_000_000);
      await bus.append({ channelId, lease: second, sequenceFloor: 0, events });
      await publishing;
      expect(refused).toBeGreaterThan(1);
      await waitFor(() => seen.length === refused - 1 + 5);
      // Everything of the first owner lies before everything of the second.
      expect(numbersOf(seen).findIndex((number) => number >= 1_000_000)).toBe(refused - 1);
    });
  });
}
