import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    testServers: TestServers;
  }
}

/** What global-setup.ts found or started for this run. */
export interface TestServers {
  readonly databaseUrl: string;
  /** Name of the migrated database that test databases are cloned from. */
  readonly templateName: string;
  /** Null: there is no Redis here, and what needs it must skip loudly. */
  readonly redisUrl: string | null;
}

/** A superuser-like connection to the PostgreSQL server of this test run: its maintenance database. */
export function testDatabaseUrl(): string {
  return inject('testServers').databaseUrl;
}

/** The Redis of this test run, or null when there is none. The banner at the start of the run has said so. */
export function testRedisUrl(): string | null {
  return inject('testServers').redisUrl;
}
