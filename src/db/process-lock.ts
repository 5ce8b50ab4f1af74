import { connectClient } from './connection-error.ts';

/** Names the advisory lock of the one process that may use this database with an in-process bus. */
const PROCESS_LOCK = 7_105_291_005;

/**
 * Takes the lock that only one process per database can hold, and keeps it for as long as its connection lives.
 * @returns how to give it back, or null when another process holds it.
 * @throws what `connectClient` throws.
 */
export async function acquireProcessLock(options: {
  readonly connectionString: string;
}): Promise<{ release(): Promise<void> } | null> {
  const client = await connectClient({ ...options, applicationName: 'tallylight lock' });
  const result = await client.query<{ taken: boolean }>(
    '/* acquireProcessLock */ select pg_try_advisory_lock($1) as taken',
    [PROCESS_LOCK],
  );
  if (result.rows[0]?.taken === true) return { release: () => client.end() };
  await client.end();
  return null;
}
