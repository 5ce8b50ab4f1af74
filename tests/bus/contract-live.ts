import { fail } from 'node:assert';
import { describe, expect, it } from 'vitest';
import { DependencyError } from '../../src/errors/errors.ts';
import { waitFor } from '../support/wait.ts';
import type { OpenTestBus } from './contract.ts';
import { append, chat, chats, collect, consuming, gate, newChannel, numbersOf, range } from './support.ts';

/** Live subscriptions, topics, presence, and the end of a bus. */
export function describeLiveContract(open: OpenTestBus): void {
  describe('live', () => {
    it('delivers everything appended after subscribe has resolved, and nothing of before or of other channels', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const other = newChannel();
      await append(bus, channelId, chats(channelId, 3));
      const live: number[] = [];
      await bus.subscribe(channelId, { listener: (delivery) => live.push(...numbersOf([delivery])) });
      await append(bus, other, chats(other, 3, 900));
      await append(bus, channelId, chats(channelId, 50, 4));
      await waitFor(() => live.length >= 50);
      expect(live).toEqual(range(4, 50));
    });

    it('[T-D3] goes on for everybody else when a listener throws', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const { seen } = await collect(bus);
      let thrown = 0;
      const live: number[] = [];
      await bus.subscribe(channelId, {
        listener: () => {
          thrown += 1;
          throw new Error('a listener of ours is broken');
        },
      });
      await bus.subscribe(channelId, { listener: (delivery) => live.push(...numbersOf([delivery])) });
      await append(bus, channelId, chats(channelId, 5));
      await append(bus, channelId, chats(channelId, 5, 6));
      await waitFor(() => live.length >= 10 && thrown >= 10 && seen.length >= 10);
      expect(live).toEqual(range(1, 10));
      expect(numbersOf(seen)).toEqual(range(1, 10));
      expect(thrown).toBe(10);
    });

    it('[T-D3] is not held up by a group whose handler is stuck', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const { opened, open: release } = gate();
      await bus.consume(
        consuming(async () => {
          await opened;
          return { rejected: [] };
        }),
      );
      const live: number[] = [];
      await bus.subscribe(channelId, { listener: (delivery) => live.push(...numbersOf([delivery])) });
      for (const number of range(1, 20)) await append(bus, channelId, [chat(channelId, number)]);
      await waitFor(() => live.length >= 20);
      expect(live).toEqual(range(1, 20));
      release();
    });

    it('stops for one subscriber at unsubscribe and goes on for the others', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const first: number[] = [];
      const second: number[] = [];
      const leave = await bus.subscribe(channelId, {
        listener: (delivery) => first.push(...numbersOf([delivery])),
      });
      const leaveToo = await bus.subscribe(channelId, {
        listener: (delivery) => second.push(...numbersOf([delivery])),
      });
      await append(bus, channelId, [chat(channelId, 1)]);
      await waitFor(() => first.length === 1 && second.length === 1);
      await leave();
      await leave();
      await append(bus, channelId, [chat(channelId, 2)]);
      await waitFor(() => second.length === 2);
      await leaveToo();
      await append(bus, channelId, [chat(channelId, 3)]);
      // The last one left, and one who comes back hears only what comes now.
      const third: number[] = [];
      await bus.subscribe(channelId, { listener: (delivery) => third.push(...numbersOf([delivery])) });
      await append(bus, channelId, [chat(channelId, 4)]);
      await waitFor(() => third.length > 0);
      expect({ first, second, third }).toEqual({ first: [1], second: [1, 2], third: [4] });
    });

    it('keeps one subscription right when many come and go at once', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const heard: number[] = [];
      const coming = range(1, 30).map(async (index) => {
        const leave = await bus.subscribe(channelId, {
          listener: () => {
            if (index % 3 === 0) heard.push(index);
          },
        });
        if (index % 3 !== 0) await leave();
      });
      await Promise.all(coming);
      await append(bus, channelId, [chat(channelId, 1)]);
      await waitFor(() => heard.length >= 10);
      expect(heard.toSorted((a, b) => a - b)).toEqual(range(1, 10).map((index) => index * 3));
    });
  });

  describe('topics', () => {
    it('carries a notice to everybody who listens to its topic now, until they leave', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const heard: string[] = [];
      await bus.notify('channels', 'too early');
      const leave = await bus.listen('channels', (payload) => heard.push(`first ${payload}`));
      await bus.listen('channels', (payload) => heard.push(`second ${payload}`));
      await bus.listen('stream:1', (payload) => heard.push(`other ${payload}`));
      await bus.notify('channels', 'a');
      await waitFor(() => heard.length === 2);
      await leave();
      await bus.notify('channels', 'b');
      await bus.notify('stream:1', 'c');
      await waitFor(() => heard.length === 4);
      expect(new Set(heard)).toEqual(new Set(['first a', 'other c', 'second a', 'second b']));
    });
  });

  describe('presence', () => {
    it('counts connections by channel and kind: each once, until it leaves or is not renewed', async () => {
      await using fixture = await open();
      const { presence } = fixture.bus;
      const channelId = newChannel();
      const overlay = { channelId, kind: 'overlay' };
      expect(await presence.count(overlay)).toBe(0);
      await presence.beat({ ...overlay, connectionId: 'a', ttlMs: 60_000 });
      await presence.beat({ ...overlay, connectionId: 'a', ttlMs: 60_000 });
      await presence.beat({ ...overlay, connectionId: 'b', ttlMs: 40 });
      await presence.beat({ channelId, kind: 'subscriber', connectionId: 'c', ttlMs: 60_000 });
      await presence.beat({ channelId: newChannel(), kind: 'overlay', connectionId: 'd', ttlMs: 60_000 });
      await waitFor(async () => (await presence.count(overlay)) === 1);
      expect(await presence.count({ channelId, kind: 'subscriber' })).toBe(1);
      await presence.leave({ ...overlay, connectionId: 'a' });
      await presence.leave({ ...overlay, connectionId: 'never there' });
      expect(await presence.count(overlay)).toBe(0);
    });
  });

  describe('close', () => {
    it('finishes the batches in hand, then refuses everything that cannot be tried again', async () => {
      await using fixture = await open();
      const { bus } = fixture;
      const channelId = newChannel();
      const { opened, open: release } = gate();
      let begun = 0;
      let finished = 0;
      await bus.consume(
        consuming(async (batch) => {
          begun += batch.length;
          await opened;
          finished += batch.length;
          return { rejected: [] };
        }),
      );
      await append(bus, channelId, chats(channelId, 3));
      await waitFor(() => begun > 0);
      const closing = bus.close();
      release();
      await closing;
      expect(finished).toBe(begun);
      const refusal = await append(bus, channelId, [chat(channelId, 4)]).then(
        () => fail('a closed bus took an event'),
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(DependencyError);
      expect(refusal).toMatchObject({ retryable: false });
    });
  });
}
