import type { TestProject } from 'vitest/node';
import { findRedis, openTestServer } from './server-search.ts';
import { ensureTemplate } from './template.ts';

/** Finds the real servers all tests run against, says which, and makes the template of the test databases. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await openTestServer();
  const redisUrl = await findRedis();
  const templateName = await ensureTemplate(postgres.url);
  project.provide('testServers', { databaseUrl: postgres.url, templateName, redisUrl });
  banner(
    `PostgreSQL: ${postgres.origin} · Redis: ${redisUrl === null ? 'NONE' : redisUrl.replace(/\/\/.*@/, '//')}`,
  );
  if (redisUrl === null) {
    banner(
      'NO REDIS (neither REDIS_URL nor 127.0.0.1:6379): everything that needs Redis is NOT TESTED in this run.',
    );
  }
  return async () => {
    await postgres[Symbol.asyncDispose]();
  };
}

function banner(text: string): void {
  process.stderr.write(`\n==== tests: ${text}\n`);
}
