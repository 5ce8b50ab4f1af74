import type { BusHealth } from '../port.ts';
import type { RedisConnections } from './connections.ts';

/** Asks Redis how it is, and what an operator should know about the way it keeps data. Never rejects. */
export async function redisHealth(connections: RedisConnections): Promise<BusHealth> {
  try {
    const info = String(await connections.call('info', []));
    const warnings = [await persistenceWarning(connections, info), evictionWarning(info)];
    return {
      kind: 'redis',
      reachable: true,
      warnings: warnings.filter((warning) => warning !== null),
    };
  } catch {
    return { kind: 'redis', reachable: false, warnings: [] }; // out of reach is the answer, not a failure of asking
  }
}

async function persistenceWarning(connections: RedisConnections, info: string): Promise<string | null> {
  if (/^aof_enabled:1/m.test(info)) return null;
  if (await hasSavePoints(connections)) {
    return 'Redis keeps snapshots only: a restart may lose the events since the last one. Set "appendonly yes".';
  }
  return 'Redis does not keep its data: a restart loses every event not stored yet. Set "appendonly yes".';
}

async function hasSavePoints(connections: RedisConnections): Promise<boolean> {
  try {
    const answer = await connections.call('config', ['get', 'save']);
    return Array.isArray(answer) && String(answer[1]) !== '';
  } catch {
    return false; // hosted Redis often refuses CONFIG; without the file of appends its snapshots are no promise
  }
}

function evictionWarning(info: string): string | null {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
  const limited = !/^maxmemory:0\b/m.test(info);
  if (!limited || policy === 'noeviction') return null;
  return `Redis may evict the bus's data when memory is short (${policy}). Set "maxmemory-policy noeviction".`;
}
