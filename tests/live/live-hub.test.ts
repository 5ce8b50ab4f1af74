import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import type { EventBus, LiveSubscriber } from '../../src/bus/port.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { type EventsRequest, LiveHub } from '../../src/live/channel-feed.ts';
import type { EventWish } from '../../src/live/event-match.ts';
import { chat, gift, like, publish } from '../server/live-events.ts';
import { waitFor } from '../support/wait.ts';

const ALL: EventWish = { types: null, withheld: new Set(), coinsMin: null, userId: null };

/** The in-process bus, and a count of who subscribed to it. */
function countedBus() {
  const bus = createInProcessBus({ clock: systemClock });
  const subscribers = new Set<LiveSubscriber>();
  const subscribe: EventBus['subscribe'] = async (channelId, subscriber) => {
    const unsubscribe = await bus.subscribe(channelId, subscriber);
    subscribers.add(subscriber);
    return async () => {
      subscribers.delete(subscriber);
      await unsubscribe();
    };
  };
  const counted: EventBus = new Proxy(bus, {
    get: (target, name) => {
      if (name === 'subscribe') return subscribe;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { bus: counted, subscribers };
}

let channelId: ChannelId;
let bus: EventBus;
let subscribers: Set<LiveSubscriber>;
let registry: Registry;
let hub: LiveHub;
let number = 0;

beforeEach(() => {
  channelId = newId('channel', 1_000);
  ({ bus, subscribers } = countedBus());
  registry = new Registry();
  hub = new LiveHub({ bus, logger: createLogger('silent'), registry }, { eventsBehindMax: 4 });
});
afterEach(async () => {
  await hub.stop();
  await bus.close();
});

function request(wish: Partial<EventWish> = {}, overlay = false): EventsRequest {
  number += 1;
  const watcher = { subscriptionId: `s${number}`, connectionId: `c${number}`, overlay };
  return { channelId, wish: { ...ALL, ...wish }, watcher };
}

const subscriberCount = () => bus.presence.count({ channelId, kind: 'subscriber' });

describe('live events', () => {
  it('come over one subscription of the bus, however many watch, which ends with the last', async () => {
    const feeds = await Promise.all([1, 2, 3].map(() => hub.events(request())));
    expect(subscribers.size).toBe(1);
    await publish(bus, chat(channelId, 'one'));
    for (const feed of feeds) expect((await feed.next()).value?.event.sequence).toBe(1);
    for (const feed of feeds) {
      expect(subscribers.size).toBe(1);
      await feed.return?.();
    }
    await waitFor(() => subscribers.size === 0);
  });

  it('are filtered before they are buffered', async () => {
    const feed = await hub.events(
      request({ types: new Set(['CHAT', 'GIFT']), coinsMin: 100, userId: '7002' }),
    );
    const unwanted = Array.from({ length: 20 }, () => [
      like(channelId),
      gift(channelId, 99, '7002'),
      chat(channelId, 'x', '7001'),
    ]);
    await publish(bus, ...unwanted.flat(), gift(channelId, 100, '7002'), chat(channelId, 'mine', '7002'));
    const taken = [await feed.next(), await feed.next()];
    expect(taken.map(({ value }) => value?.event.eventType)).toEqual(['GIFT', 'CHAT']);
  });

  it('[T-D3] leave likes out for a slow reader, count them, and never a chat or gift', async () => {
    const feed = await hub.events(request());
    await publish(
      bus,
      like(channelId),
      like(channelId),
      chat(channelId, '1'),
      like(channelId),
      chat(channelId, '2'),
      gift(channelId, 1),
      like(channelId),
      chat(channelId, '3'),
    );
    const types: unknown[] = [];
    for (let index = 0; index < 4; index += 1) types.push((await feed.next()).value?.event.eventType);
    expect(types).toEqual(['CHAT', 'CHAT', 'GIFT', 'CHAT']);
    expect(await registry.getSingleMetric('tallylight_live_dropped_total')?.get()).toMatchObject({
      values: [{ value: 4, labels: { type: 'LIKE' } }],
    });
  });

  it('[T-D3] end for a reader so slow that a chat would be lost, and say after which event', async () => {
    const slow = await hub.events(request());
    const fast = await hub.events(request());
    await publish(bus, chat(channelId, '1'));
    expect((await slow.next()).value?.event.sequence).toBe(1);
    for (let n = 2; n <= 8; n += 1) {
      await publish(bus, chat(channelId, String(n)));
      await fast.next();
    }
    await expect(slow.next()).rejects.toMatchObject({
      code: 'SUBSCRIPTION_TOO_SLOW',
      lastTaken: { event: { sequence: 1 } },
    });
    expect((await fast.next()).value?.event.sequence).toBe(8);
    await waitFor(async () => (await subscriberCount()) === 1);
  });

  it('end when the bus may have lost something, and say after which event', async () => {
    const feed = await hub.events(request());
    await publish(bus, chat(channelId, '1'));
    await feed.next();
    for (const subscriber of subscribers) subscriber.onInterrupted?.();
    await expect(feed.next()).rejects.toMatchObject({
      code: 'SUBSCRIPTION_INTERRUPTED',
      lastTaken: { event: { sequence: 1 } },
    });
    await waitFor(() => subscribers.size === 0);
  });

  it('show every process who watches, from the first moment to the last', async () => {
    const plain = await hub.events(request());
    const overlay = await hub.events(request({}, true));
    const counts = () =>
      Promise.all(
        (['subscriber', 'overlay'] as const).map((kind) => bus.presence.count({ channelId, kind })),
      );
    expect(await counts()).toEqual([2, 1]);
    await overlay.return?.();
    await waitFor(async () => (await subscriberCount()) === 1);
    expect(await counts()).toEqual([1, 0]);
    await plain.return?.();
    await waitFor(async () => (await subscriberCount()) === 0);
  });

  it('leave nothing behind when the bus cannot be subscribed to', async () => {
    await bus.close();
    await expect(hub.events(request())).rejects.toThrow();
    expect(await registry.getSingleMetric('tallylight_live_subscriptions')?.get()).toMatchObject({
      values: [{ value: 0 }],
    });
  });

  it('end for everybody when the hub stops', async () => {
    const feeds = [await hub.events(request()), await hub.events(request({}, true))];
    const waiting = feeds.map((feed) => feed.next());
    await hub.stop();
    for (const each of waiting) expect(await each).toEqual({ done: true, value: undefined });
    expect(await subscriberCount()).toBe(0);
  });
});
