import { setTimeout as sleep } from 'node:timers/promises';
import type { Services } from '../context.ts';
import { pingDatabase } from '../db/ping.ts';

/** How long one part may take to answer, in milliseconds: less than the usual probe's second. */
const PROBE_MS = 800;
/** How long what was seen is told again, in milliseconds, from when it was looked. */
const SEEN_MS = 500;

/** Whether the process can do its work, part by part. */
export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<'server' | 'database' | 'bus', 'ok' | 'failing' | 'stopping'>>;
}

/**
 * Looks at every part this process needs. Names them and says no more: everybody may ask. Who asks within half a second of somebody
 * else is told the same, so that asking costs nothing; only that we stop is told at once.
 */
export function createReadiness(
  services: Pick<Services, 'db' | 'bus'>,
  state: { readonly stopping: boolean },
): () => Promise<Readiness> {
  let seen: {
    readonly parts: Promise<{ database: boolean; bus: boolean }>;
    readonly untilMs: number;
  } | null = null;
  return async () => {
    if (seen === null || performance.now() >= seen.untilMs) {
      seen = { parts: lookAtParts(services), untilMs: performance.now() + SEEN_MS };
    }
    const { database, bus } = await seen.parts;
    return {
      ready: !state.stopping && database && bus,
      parts: {
        server: state.stopping ? 'stopping' : 'ok',
        database: database ? 'ok' : 'failing',
        bus: bus ? 'ok' : 'failing',
      },
    };
  };
}

async function lookAtParts({ db, bus }: Pick<Services, 'db' | 'bus'>) {
  const [database, isBusThere] = await Promise.all([
    probe(() => pingDatabase(db)),
    probe(async () => (await bus.health()).reachable),
  ]);
  return { database, bus: isBusThere };
}

async function probe(look: () => Promise<boolean>): Promise<boolean> {
  try {
    return await Promise.race([look(), sleep(PROBE_MS, false, { ref: false })]);
  } catch {
    return false;
  }
}
