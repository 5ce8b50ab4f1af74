import { describe, expect, it } from 'vitest';
import { StaleLeaseError } from '../../src/bus/port.ts';
import { createRedisBus } from '../../src/bus/redis-bus.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { waitFor } from '../support/wait.ts';
import { hasRedisServer, type PrivateRedis, redisBusOptions, startPrivateRedis } from './redis-support.ts';
import { append, chats, collect, newChannel, numbersOf, range } from './support.ts';

const SLOTS = 16_384;

/** Three masters on loopback that share the slots. */
async function startCluster(stack: AsyncDisposableStack): Promise<readonly PrivateRedis[]> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const nodes: PrivateRedis[] = [];
  // Of itself a node would take its port and 10,000 for the cluster's own talk: among the ports that clients are given.
  const busPorts: string[] = [];
  for (const _ of range(1, 3)) {
    const busPort = String(await freePort());
    const node = await startPrivateRedis([...args, '--cluster-port', busPort]);
    nodes.push(stack.use(node));
    busPorts.push(busPort);
  }
  const [first] = nodes;
  const [firstBusPort = ''] = busPorts;
  for (const [index, node] of nodes.entries()) {
    const from = Math.floor((index * SLOTS) / 3);
    const to = Math.floor(((index + 1) * SLOTS) / 3) - 1;
    await node.command('cluster', 'addslotsrange', String(from), String(to));
    await node.command('cluster', 'set-config-epoch', String(index + 1));
    if (node !== first) await node.command('cluster', 'meet', '127.0.0.1', String(first?.port), firstBusPort);
  }
  for (const node of nodes) {
    await waitFor(async () => String(await node.command('cluster', 'info')).includes('cluster_state:ok'), {
      timeoutMs: 20_000,
      message: 'the cluster to form',
    });
  }
  return nodes;
}

describe.skipIf(!hasRedisServer())('on a Redis Cluster', { timeout: 60_000 }, () => {
  it('appends, fences, consumes, publishes, and keeps leases and presence, on whichever node a shard lies', async () => {
    await using stack = new AsyncDisposableStack();
    const nodes = await startCluster(stack);
    for (const url of [nodes.map((node) => node.url).join(), nodes[1]?.url ?? '']) {
      const bus = await createRedisBus(redisBusOptions({ url, shards: 8 }));
      stack.defer(() => bus.close());
      const channels = range(0, 12).map(() => newChannel());
      const { seen } = await collect(bus);
      const live: number[] = [];
      for (const channelId of channels) {
        await bus.subscribe(channelId, { listener: (delivery) => live.push(...numbersOf([delivery])) });
        const name = `room:${channelId}`;
        const lease = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 60_000 });
        const request = { channelId, sequenceFloor: 0, events: chats(channelId, 20) };
        await bus.append({ ...request, lease, stateChanges: { set: { likes: '1' } } });
        await expect(bus.append({ ...request, lease: { name, ownerId: 'b', epoch: 1 } })).rejects.toThrow(
          StaleLeaseError,
        );
        expect(await bus.readState(channelId)).toEqual(new Map([['likes', '1']]));
        await bus.presence.beat({ channelId, kind: 'overlay', connectionId: 'a', ttlMs: 60_000 });
        expect(await bus.presence.count({ channelId, kind: 'overlay' })).toBe(1);
      }
      await waitFor(() => seen.length >= 240 && live.length >= 240);
      for (const channelId of channels) {
        const ofChannel = seen.filter(({ event }) => event.channelId === channelId);
        expect(numbersOf(ofChannel)).toEqual(range(1, 20));
      }
      expect(live).toHaveLength(240);
      const heard: string[] = [];
      await bus.listen('channels', (payload) => heard.push(payload));
      await bus.notify('channels', 'a');
      await waitFor(() => heard.length === 1);
      await append(bus, channels[0] ?? newChannel(), chats(channels[0] ?? newChannel(), 1, 21));
      expect((await bus.health()).reachable).toBe(true);
    }
  });
});
