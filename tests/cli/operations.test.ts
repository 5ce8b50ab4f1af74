import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Terminal } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { checkUsedOperations } from '../../src/clients/schema-check.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { waitFor } from '../support/wait.ts';

let fixture: ApiFixture;
let folder: string;
beforeAll(async () => {
  fixture = await startApiFixture();
  folder = await mkdtemp(join(tmpdir(), 'tallylight-operations-'));
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function typed(...args: readonly string[]) {
  const out: string[] = [];
  const notes: string[] = [];
  const terminal: Terminal = {
    args: ['operations', ...args],
    env: { TALLYLIGHT_DATA_DIR: join(folder, 'data'), TALLYLIGHT_LOG_LEVEL: 'silent' },
    print: (line) => out.push(line),
    note: (line) => notes.push(line),
    stopRequested: new AbortController().signal,
    onReload: () => () => undefined,
  };
  return { code: await runCommandLine(terminal), out, notes };
}

async function manifest(...operations: readonly object[]): Promise<string> {
  const path = join(folder, `manifest-${operations.length}-${Math.trunc(performance.now())}.json`);
  await writeFile(path, JSON.stringify({ operations }));
  return path;
}

const MINE = { name: 'Mine', document: 'query Mine($id: ID!) { channel(id: $id) { id } }' };

it('publishes a manifest through the API, and tells what cannot be published', async () => {
  const { id: channelId } = await fixture.channel('cli.operations');
  const { data } = await fixture.ask(
    `mutation ($input: ClientCreateInput!) { clientCreate(input: $input) { ... on ClientCreatePayload { client { id } } } }`,
    { input: { channelId, name: 'CLI' } },
  );
  const clientId: string = data.clientCreate.client.id;
  const target = ['--client', clientId, '--url', fixture.url, '--key', fixture.operatorKey];
  const published = await typed('publish', '--file', await manifest(MINE), ...target);
  expect(published).toMatchObject({
    code: 0,
    out: ['Version 1: 1 operations.', expect.stringMatching(/^sha256:/)],
  });
  const bad = await typed('publish', '--file', await manifest(MINE, { name: 'X', document: '{' }), ...target);
  expect(bad.code).toBe(3);
  expect(bad.notes[0]).toMatch(/^operation 1 \(X\): /);

  const { data: made } = await fixture.ask(
    `mutation ($input: ClientKeyCreateInput!) { clientKeyCreate(input: $input) { ... on ClientKeyCreatePayload { secret } } }`,
    { input: { clientId, scopes: ['EVENTS_READ'], expiresInDays: 1 } },
  );
  const documentId = published.out[1];
  await fixture.post({ documentId, variables: { id: channelId } }, made.clientKeyCreate.secret);
  const deps = { db: fixture.db, clock: systemClock };
  const schemaText = 'type Query { channel(id: ID!): Channel } type Channel { name: String }';
  const result = await waitFor(
    async () => {
      const found = await checkUsedOperations(deps, { schemaText, days: 1 });
      return found.checked === 1 ? found : undefined;
    },
    { timeoutMs: 10_000 },
  );
  expect(result.broken).toMatchObject([{ clientId, name: 'Mine', runs: 1 }]);
  const kept = 'type Query { channel(id: ID!): Channel } type Channel { id: ID }';
  expect(await checkUsedOperations(deps, { schemaText: kept, days: 1 })).toEqual({ checked: 1, broken: [] });
});

it('sends a key in the clear to nobody but this machine', async () => {
  const file = await manifest(MINE);
  const answer = await typed(
    'publish',
    '--file',
    file,
    '--client',
    'cli_x',
    '--url',
    'http://far.example',
    '--key',
    'k',
  );
  expect(answer.code).toBe(2);
});
