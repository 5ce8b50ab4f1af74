import { Agent, request } from 'node:http';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../src/auth/sessions/create-session-store.ts';
import { createTokens } from '../src/auth/tokens/tokens.ts';
import { createInProcessBus } from '../src/bus/in-process-bus.ts';
import { createDatabase } from '../src/db/connect.ts';
import { assert } from '../src/lib/assert.ts';
import { systemClock } from '../src/lib/clock.ts';
import { parseMasterKey } from '../src/privacy/master-key.ts';
import { createVault } from '../src/privacy/vault.ts';
import {
  ATTACK_BODIES,
  ATTACK_DOCUMENTS,
  type AttackDocument,
  asSubscription,
} from '../tests/server/attack-documents.ts';
import { openSocket, type SocketClient } from '../tests/server/socket-client.ts';
import { insertBareUser } from '../tests/support/account.ts';
import type { AttackedServerCommand, AttackedServerReport } from './attacks/server.ts';
import { BENCH_MASTER_KEY } from './history/recorded-month.ts';
import { createBenchDatabase } from './support/bench-database.ts';
import { startChild } from './support/child.ts';
import { median, parseBenchArguments, printTable, rounded, writeResults } from './support/report.ts';

/**
 * How long does an attack keep the server's event loop busy? Every one of the list that the tests hold to fail, as a query and as a
 * subscription, over HTTP, event stream and WebSocket: as the first thing a fresh process is asked (cold), and later (warm).
 */
const { quick } = parseBenchArguments(process.argv.slice(2));
/** Times each attack is measured on a process that has seen it. */
const ROUNDS = quick ? 3 : 5;
const WARM_UP_ROUNDS = 2;
/** Each has a process of its own. */
const COLD_PER_TRANSPORT = quick ? 2 : 4;
const BAR_MS = 50;

const TRANSPORTS = ['HTTP', 'SSE', 'WS'] as const;
type Transport = (typeof TRANSPORTS)[number];

/** One attack, sent to a server; resolves to the answer once nothing more comes. */
interface Attack {
  readonly name: string;
  send(to: Target): Promise<string>;
}

/** A server, and what is open to it. */
interface Target {
  readonly url: string;
  /** Of somebody who signed in and is nobody special: the schema is closed to them. */
  readonly token: string;
  readonly agent: Agent;
  /** Opened by the first attack that needs it, and again when one had it closed. */
  socket(): Promise<SocketClient>;
}

/** What the loop did during one attack, in milliseconds: by the processor's time, and by the clock. */
interface Sample {
  readonly busyMs: number;
  readonly activeMs: number;
}

/** Makes every document another one. */
let sent = 0;

const attacks = TRANSPORTS.flatMap((transport) => [
  ...Object.entries(ATTACK_DOCUMENTS).flatMap(([name, document]) => [
    attackBy(transport, name, () => textOf(document)),
    attackBy(transport, `${name}, subscribed`, () => textOf(asSubscription(document))),
  ]),
  // A WebSocket knows no media types: there, what is wrong with nothing else is a request like any other.
  ...Object.entries(ATTACK_BODIES)
    .filter(([, { status }]) => transport !== 'WS' || status !== 415)
    .map(([name, { text, mediaType }]) => attackBy(transport, name, () => text, mediaType)),
]);
/** The request, with a document that was never seen before: what is wrong with a known one is remembered. */
function textOf({ query, variables }: AttackDocument): string {
  sent += 1;
  return JSON.stringify({ query: `#${sent}\n${query}`, variables });
}

const mutation = encodeURIComponent('mutation { signOut(input: {}) { __typename } }');
for (const method of ['GET', 'PUT', 'TRACE']) {
  attacks.push({
    name: `HTTP: a mutation by ${method}`,
    send: (to) => ask(to, { path: `?query=${mutation}`, method, body: '' }),
  });
}

function attackBy(
  transport: Transport,
  name: string,
  bodyOf: () => string,
  mediaType = 'application/json',
): Attack {
  return {
    name: `${transport}: ${name}`,
    send: async (to) => {
      const body = bodyOf();
      if (transport === 'WS') return overSocket(await to.socket(), body);
      const accept = transport === 'SSE' ? 'text/event-stream' : 'application/json';
      const headers = { accept, 'content-type': mediaType };
      return ask(to, { method: 'POST', body, headers });
    },
  };
}

/** The answer to an operation, or the code that the socket was closed with. */
async function overSocket(client: SocketClient, payload: string): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    client.socket.once('message', (data) => resolve(String(data)));
    client.socket.once('close', (code) => resolve(`closed with ${code}`));
  });
  client.send(`{"type":"subscribe","id":"1","payload":${payload}}`);
  const text = await answer;
  client.socket.removeAllListeners('close');
  return text;
}

function ask(
  { url, token, agent }: Target,
  options: {
    readonly method: string;
    readonly body: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<string> {
  const { method, body, path = '' } = options;
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    ...options.headers,
  };
  const { promise, resolve } = Promise.withResolvers<string>();
  const asked = request(`${url}/graphql${path}`, { method, agent, headers }, (response) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    response.on('error', (error) => resolve(String(error)));
  });
  // A body that is too long is not read to its end: the connection may be gone before we have sent it.
  asked.on('error', (error) => resolve(String(error)));
  asked.end(body);
  return promise;
}

interface Installation extends AsyncDisposable {
  readonly databaseUrl: string;
  /** A fresh access token of somebody, good for the server that is reached there. */
  tokenFor(publicUrl: string): Promise<string>;
}

async function makeInstallation(): Promise<Installation> {
  const cleanup = new AsyncDisposableStack();
  const { url: databaseUrl } = cleanup.use(await createBenchDatabase('attacks'));
  const clock = systemClock;
  const masterKey = parseMasterKey(BENCH_MASTER_KEY);
  const db = createDatabase({
    connectionString: databaseUrl,
    poolMax: 2,
    statementTimeoutMs: 15_000,
    applicationName: 'tallylight bench',
  });
  cleanup.defer(() => db.destroy());
  const bus = createInProcessBus({ clock });
  cleanup.defer(() => bus.close());
  const vault = createVault({ db, masterKey, clock });
  const userId = await insertBareUser({ db, vault });
  const sessions = createSessionStore({ db, bus, vault, clock }, DEFAULT_SESSION_OPTIONS);
  const { session } = await sessions.create({ userId, mfaAt: null, userAgent: null, address: null });
  const deps = { db, bus, vault, clock, masterKey, onReuse: async () => undefined };
  return {
    databaseUrl,
    tokenFor: async (publicUrl) => {
      const tokens = await createTokens({ ...deps, publicUrl });
      return (await tokens.issue({ userId, grant: session.id })).token;
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

async function startTarget({ databaseUrl, tokenFor }: Installation) {
  const child = startChild<AttackedServerCommand, AttackedServerReport>('attacks/server.ts', [databaseUrl]);
  const { url } = await child.next('READY');
  const token = await tokenFor(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let client: SocketClient | null = null;
  const target: Target = {
    url,
    token,
    agent,
    socket: async () => {
      if (client === null || client.socket.readyState !== client.socket.OPEN) {
        client = await openSocket(url, { key: token });
      }
      return client;
    },
  };
  return {
    target,
    measure: async (attack: Attack): Promise<Sample> => {
      const begun = child.next('BEGUN');
      child.tell({ kind: 'BEGIN' });
      await begun;
      const answer = await attack.send(target);
      const ended = child.next('ENDED');
      child.tell({ kind: 'END' });
      const { cpuMs: busyMs, activeMs } = await ended;
      assert(!answer.includes('"data":{'), `an attack succeeded: ${attack.name}: ${answer.slice(0, 200)}`);
      if (process.env.SHOW_ANSWERS)
        process.stderr.write(`${attack.name} ${rounded(busyMs)} ${answer.slice(0, 160)}\n`);
      return { busyMs, activeMs };
    },
    stop: async () => {
      agent.destroy();
      client?.socket.terminate();
      await child.stop({ kind: 'STOP' });
    },
  };
}

/** Every attack on one process, after it has seen each. */
async function measureWarm(installation: Installation): Promise<ReadonlyMap<Attack, readonly Sample[]>> {
  const { target, measure, stop } = await startTarget(installation);
  const samples = new Map<Attack, Sample[]>(attacks.map((attack) => [attack, []]));
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    for (const attack of attacks) await attack.send(target);
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const attack of attacks) {
      // The handshake is not part of the attack.
      if (attack.name.startsWith('WS')) await target.socket();
      samples.get(attack)?.push(await measure(attack));
    }
  }
  await stop();
  return samples;
}

/** Each attack as the first thing that a process is asked, a WebSocket's handshake included. */
async function measureCold(
  installation: Installation,
  chosen: readonly Attack[],
): Promise<ReadonlyMap<Attack, Sample>> {
  const samples = new Map<Attack, Sample>();
  for (const attack of chosen) {
    const { measure, stop } = await startTarget(installation);
    samples.set(attack, await measure(attack));
    await stop();
  }
  return samples;
}

/** Of each transport those that were the longest when warm. */
function coldOnes(warm: ReadonlyMap<Attack, readonly Sample[]>): readonly Attack[] {
  return TRANSPORTS.flatMap((transport) =>
    attacks
      .filter(({ name }) => name.startsWith(transport))
      .toSorted((a, b) => typical(warm.get(b)) - typical(warm.get(a)))
      .slice(0, COLD_PER_TRANSPORT),
  );
}

const typical = (samples: readonly Sample[] = []) => median(samples.map(({ busyMs }) => busyMs));
const worst = (samples: readonly Sample[] = []) => Math.max(...samples.map(({ busyMs }) => busyMs));

await using installation = await makeInstallation();
const warm = await measureWarm(installation);
const cold = await measureCold(installation, coldOnes(warm));

const rows = attacks
  .map((attack) => ({
    attack: attack.name,
    'warm ms': rounded(typical(warm.get(attack))),
    'warm worst ms': rounded(worst(warm.get(attack))),
    'cold ms': rounded(cold.get(attack)?.busyMs ?? Number.NaN),
    'warm by the clock ms': rounded(median((warm.get(attack) ?? []).map(({ activeMs }) => activeMs))),
  }))
  .toSorted((a, b) => b['warm ms'] - a['warm ms']);
process.stdout.write(
  `\n${attacks.length} attacks; how long each kept the event loop busy, the longest first\n\n`,
);
printTable(rows.slice(0, 25));
const of = (transport: Transport) =>
  rounded(
    Math.max(
      ...attacks.filter(({ name }) => name.startsWith(transport)).map((each) => typical(warm.get(each))),
    ),
  );
const figures = {
  attacks: attacks.length,
  worstLoopMs: rounded(Math.max(...attacks.map((attack) => typical(warm.get(attack))))),
  worstSingleLoopMs: rounded(Math.max(...attacks.map((attack) => worst(warm.get(attack))))),
  coldLoopMs: rounded(Math.max(...[...cold.values()].map(({ busyMs }) => busyMs))),
  httpLoopMs: of('HTTP'),
  sseLoopMs: of('SSE'),
  wsLoopMs: of('WS'),
};
const over = rows.filter((row) => row['warm worst ms'] > BAR_MS || row['cold ms'] > BAR_MS);
process.stdout.write(
  `\nworst ${figures.worstLoopMs} ms warm, ${figures.coldLoopMs} ms cold; ${over.length} above ${BAR_MS} ms\n`,
);
await writeResults('attacks', { figures, details: { quick, rounds: ROUNDS, cold: cold.size, rows } });
