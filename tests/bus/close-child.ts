import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import { createRedisBus } from '../../src/bus/redis-bus.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { redisBusOptions } from './redis-support.ts';
import { append, chats, collect, newChannel, TEST_SETTINGS } from './support.ts';

/** Uses every part of a bus and closes it. Ends by itself only when the bus left nothing running. */
const [url, keyPrefix = ''] = process.argv.slice(2);
const bus =
  url === undefined
    ? createInProcessBus({ clock: systemClock, ...TEST_SETTINGS })
    : await createRedisBus(redisBusOptions({ url, keyPrefix }));
const channelId = newChannel();
await bus.subscribe(channelId, { listener: () => {} });
await bus.listen('topic', () => {});
await bus.presence.beat({ channelId, kind: 'subscriber', connectionId: 'a', ttlMs: 60_000 });
await bus.acquireLease({ name: `room:${channelId}`, ownerId: 'a', ttlMs: 60_000 });
await collect(bus, { group: 'storage' });
await collect(bus, { group: 'rules', lingerMs: 20 });
await append(bus, channelId, chats(channelId, 100));
await bus.close();
process.stdout.write('closed\n');
