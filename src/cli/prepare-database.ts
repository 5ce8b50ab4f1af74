import { fileURLToPath } from 'node:url';
import { migrate } from '../db/migrate.ts';
import { applyProcessGrants } from '../db/process-role.ts';
import { installJobTables } from '../jobs/pg-boss-queue.ts';
import type { Logger } from '../lib/logger.ts';

/** Where the migrations are, wherever the process was started. */
export const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Brings the database to this version as the login user, who is to own its tables: ours, the job queue's, and what each kind of
 * process may do with both. Names the migrations that were applied.
 * @throws what `migrate` throws.
 */
export async function prepareDatabase(options: {
  readonly connectionString: string;
  readonly logger: Logger;
}): Promise<{ readonly applied: readonly string[] }> {
  const { applied } = await migrate({ ...options, directory: MIGRATIONS_DIRECTORY });
  await installJobTables(options);
  await applyProcessGrants(options);
  return { applied };
}
