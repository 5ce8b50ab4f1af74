import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait.ts';
import { startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

describe('starting', () => {
  it('answers also what came before everything was ready', async () => {
    const { port, close } = await freePort();
    await close();
    const starting = startApiFixture({ port });
    let asked = 0;
    const statuses: Promise<number>[] = [];
    const url = `http://127.0.0.1:${port}/healthz`;
    // Until it listens we are refused; what comes from then on is answered, however early.
    const poll = setInterval(() => {
      asked += 1;
      statuses.push(
        fetch(url, { signal: AbortSignal.timeout(10_000) }).then(
          ({ status }) => status,
          (error: Error) => (error.name === 'TimeoutError' ? 0 : -1),
        ),
      );
    }, 5);
    await using _fixture = await starting;
    clearInterval(poll);
    expect(asked).toBeGreaterThan(10);
    const answers = (await Promise.all(statuses)).filter((status) => status !== -1);
    expect(answers.length).toBeGreaterThan(5);
    expect(new Set(answers)).toEqual(new Set([200]));
  });
});

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { port, close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

describe('stopping', () => {
  it('tells every socket to go elsewhere, finishes what is under way, and takes less than 3 s', async () => {
    await using fixture = await startApiFixture();
    const { id } = await fixture.channel('stopping.one');
    const client = await openSocket(fixture.url, { key: fixture.operatorKey });
    client.subscribe('1', 'subscription ($id: ID!) { streamUpdated(channelId: $id) { kind } }', { id });
    await client.next('next', '1');
    // The request waits for a lock that is given free only after the stop has begun.
    const locked = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const holder = fixture.db.transaction().execute(async (tx) => {
      await sql`lock table stream in access exclusive mode`.execute(tx);
      locked.resolve();
      await free.promise;
    });
    await locked.promise;
    const underWay = fixture.ask('query ($id: ID!) { channel(id: $id) { streams { edges { cursor } } } }', {
      id,
    });
    await waitFor(async () => {
      const waiting =
        await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
          fixture.db,
        );
      return waiting.rows.length > 0;
    });
    const started = performance.now();
    const stopped = fixture.api.stop();
    expect(await client.closed).toEqual({ code: 1001, reason: 'Going away' });
    free.resolve();
    await holder;
    expect((await underWay).data).toEqual({ channel: { streams: { edges: [] } } });
    await stopped;
    expect(performance.now() - started).toBeLessThan(3_000);
    await expect(fetch(`${fixture.url}/healthz`)).rejects.toThrow();
    expect(await fixture.bus.presence.count({ channelId: id, kind: 'subscriber' })).toBe(0);
  });

  it('cuts what does not finish in time', async () => {
    await using fixture = await startApiFixture();
    const hanging = request(`${fixture.url}/graphql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${fixture.operatorKey}`,
        'content-type': 'application/json',
        'content-length': '100',
      },
    });
    const cut = new Promise<string>((resolve) =>
      hanging.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? '')),
    );
    hanging.write('{"query":');
    await sleep(50); // nothing tells from outside that the server has read the beginning
    await fixture.api.stop();
    expect(await cut).toBe('ECONNRESET');
  });
});

describe('while PostgreSQL is away', () => {
  it('says so, and serves again by itself', async () => {
    await using fixture = await startApiFixture();
    const name =
      (await sql<{ name: string }>`select current_database() as name`.execute(fixture.db)).rows[0]?.name ??
      '';
    // Every connection is ended and none let in.
    const admin = sql.id(name);
    await using elsewhere = await startApiFixture();
    await sql`alter database ${admin} allow_connections false`.execute(elsewhere.db);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`.execute(
      elsewhere.db,
    );
    await waitFor(async () => (await fetch(`${fixture.url}/readyz`)).status === 503);
    const ready = await fetch(`${fixture.url}/readyz`);
    expect(await ready.json()).toEqual({
      status: 'not ready',
      parts: { server: 'ok', database: 'failing', bus: 'ok' },
    });
    expect((await fetch(`${fixture.url}/healthz`)).status).toBe(200);
    await sql`alter database ${admin} allow_connections true`.execute(elsewhere.db);
    await waitFor(async () => (await fetch(`${fixture.url}/readyz`)).status === 200);
    expect((await fixture.ask('{ channels { edges { cursor } } }')).data).toEqual({
      channels: { edges: [] },
    });
  });
});
