import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import type { Delivery } from '../../src/bus/port.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { waitFor } from '../support/wait.ts';
import { runToExit } from './child.ts';
import { describeBusContract } from './contract.ts';
import { append, chat, chats, collect, newChannel, numbersOf, range, TEST_SETTINGS } from './support.ts';

describeBusContract('in-process', async (settings = {}) => {
  const bus = createInProcessBus({ clock: systemClock, ...TEST_SETTINGS, ...settings });
  return { bus, [Symbol.asyncDispose]: () => bus.close() };
});

describe('the in-process bus alone', () => {
  it('passes events by reference, adding only the sequence', async () => {
    const bus = createInProcessBus({ clock: systemClock });
    const channelId = newChannel();
    const heard: Delivery[] = [];
    await bus.subscribe(channelId, { listener: (delivery) => heard.push(delivery) });
    const draft = chat(channelId, 1);
    await append(bus, channelId, [draft]);
    expect(heard[0]?.event).toEqual({ ...draft, sequence: 1 });
    expect(heard[0]?.event.payload).toBe(draft.payload);
    expect(draft).not.toHaveProperty('sequence');
    await bus.close();
  });

  it('keeps the order for all listeners when one of them appends', async () => {
    const bus = createInProcessBus({ clock: systemClock });
    const channelId = newChannel();
    const appends: Promise<unknown>[] = [];
    const second: Delivery[] = [];
    await bus.subscribe(channelId, {
      listener: ({ event }) => {
        if (event.sequence === 1) appends.push(append(bus, channelId, chats(channelId, 2, 101)));
      },
    });
    await bus.subscribe(channelId, { listener: (delivery) => second.push(delivery) });
    await append(bus, channelId, chats(channelId, 2));
    await Promise.all(appends);
    expect(numbersOf(second)).toEqual([1, 2, 101, 102]);
    await bus.close();
  });

  it('[T-D1] lets timers and sockets have their turn during a flood', async () => {
    const bus = createInProcessBus({ clock: systemClock });
    const channelId = newChannel();
    const { seen } = await collect(bus, { batchMax: 50 });
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    for (let first = 1; first <= 20_000; first += 500)
      await append(bus, channelId, chats(channelId, 500, first));
    const turnsBefore = turns;
    await waitFor(() => seen.length === 20_000);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(turnsBefore);
    expect(numbersOf(seen)).toEqual(range(1, 20_000));
    await bus.close();
  });

  it('leaves nothing running after close', async () => {
    const child = await runToExit(fileURLToPath(new URL('close-child.ts', import.meta.url)), []);
    expect(child).toEqual({ code: 0, signal: null, output: 'closed\n' });
  });
});
