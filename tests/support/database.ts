import type { Kysely } from 'kysely';
import { inject } from 'vitest';
import { createDatabase, type Database } from '../../src/db/connect.ts';
import { createEmptyDatabase } from './template.ts';

/** A database of one test file's own; dropped when disposed. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly db: Kysely<Database>;
}

/** A fresh, migrated database, cloned from the run's template in some 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { databaseUrl, templateName } = inject('testServers');
  const empty = await createEmptyDatabase(databaseUrl, templateName);
  const db = createDatabase({
    connectionString: empty.url,
    poolMax: 5,
    statementTimeoutMs: 30_000,
    applicationName: 'tallylight test',
  });
  return {
    url: empty.url,
    db,
    [Symbol.asyncDispose]: async () => {
      await db.destroy();
      await empty[Symbol.asyncDispose]();
    },
  };
}
