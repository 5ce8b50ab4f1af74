import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { Registry } from 'prom-client';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import type { Delivery, EventBus } from '../../../src/bus/port.ts';
import { upsertWantedChannel } from '../../../src/db/channel.ts';
import type { Database } from '../../../src/db/connect.ts';
import type { IngestOptions } from '../../../src/ingest/ingest-options.ts';
import { type IngestDeps, type IngestService, startIngest } from '../../../src/ingest/ingest-service.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { type ChannelId, newId } from '../../../src/lib/ids.ts';
import { createRandom } from '../../../src/lib/random.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../../src/privacy/vault.ts';
import type { Simulator } from '../../../src/simulator/simulator.ts';
import { quietLogger, sourceOf } from './source.ts';

/** Pauses short enough for tests; everything else is as in the product. */
export const FAST: IngestOptions = {
  backoffMinMs: 20,
  backoffMaxMs: 200,
  offlinePollMs: 100,
  suspendedPollMs: 60_000,
  blockedPollMs: 60_000,
  pollMs: 100,
};

/** Makes a channel of this handle that is wanted connected. */
export async function wantedChannel(db: Kysely<Database>, handle: string): Promise<ChannelId> {
  const id = newId('channel', systemClock.nowMs());
  return db.transaction().execute(async (tx) => {
    return (await upsertWantedChannel(tx, { id, provider: 'TIKTOK', handle })).id;
  });
}

/** The master key of these tests. */
const ownMasterKey = randomBytes(32).toString('base64');

/** A vault over the test's database. Processes that share it are given the same key. */
export function testVault(db: Kysely<Database>, masterKey: string = ownMasterKey): Vault {
  return createVault({ db, masterKey: parseMasterKey(masterKey), clock: systemClock });
}

/** A bus in this process. */
export function inProcessBus(): EventBus {
  return createInProcessBus({ clock: systemClock });
}

/** An ingest worker on the real source, pointed at the simulator; stops with the test. */
export async function ingestFixture(
  deps: Pick<IngestDeps, 'db' | 'bus'> & {
    simulator: Pick<Simulator, 'webHost' | 'webcastHost' | 'signUrl'>;
  } & Partial<IngestDeps>,
  options: IngestOptions = {},
): Promise<IngestService & AsyncDisposable & { registry: Registry }> {
  const { simulator, ...rest } = deps;
  const registry = deps.registry ?? new Registry();
  const random = createRandom('ingest');
  const service = await startIngest(
    {
      vault: testVault(deps.db),
      clock: systemClock,
      logger: quietLogger,
      registry,
      sourceFor: () => sourceOf(simulator),
      random: () => random.next(),
      ...rest,
    },
    { ...FAST, ...options },
  );
  return { registry, stop: () => service.stop(), [Symbol.asyncDispose]: () => service.stop() };
}

/** Collects a channel's live events from now on. */
export async function collected(bus: EventBus, channelId: ChannelId): Promise<readonly Delivery[]> {
  const deliveries: Delivery[] = [];
  await bus.subscribe(channelId, { listener: (delivery) => deliveries.push(delivery) });
  return deliveries;
}
