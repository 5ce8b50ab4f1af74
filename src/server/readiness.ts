import { setTimeout as sleep } from 'node:timers/promises';
import type { Services } from '../context.ts';
import { pingDatabase } from '../db/ping.ts';

/** How long one part may take to answer, in milliseconds: less than the usual probe's second. */
const PROBE_MS = 800;

/** Whether the process can do its work, part by part. */
export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<'server' | 'database' | 'bus', 'ok' | 'failing' | 'stopping'>>;
}

/** Looks at every part this process needs. Names them and says no more: everybody may ask. */
export async function checkReadiness(
  services: Pick<Services, 'db' | 'bus'>,
  state: { readonly stopping: boolean },
): Promise<Readiness> {
  const [database, bus] = await Promise.all([
    probe(() => pingDatabase(services.db)),
    probe(async () => (await services.bus.health()).reachable),
  ]);
  return {
    ready: !state.stopping && database && bus,
    parts: {
      server: state.stopping ? 'stopping' : 'ok',
      database: database ? 'ok' : 'failing',
      bus: bus ? 'ok' : 'failing',
    },
  };
}

async function probe(look: () => Promise<boolean>): Promise<boolean> {
  try {
    return await Promise.race([look(), sleep(PROBE_MS, false, { ref: false })]);
  } catch {
    return false;
  }
}
