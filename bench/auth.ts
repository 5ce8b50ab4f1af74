import { Agent, request } from 'node:http';
import { sql } from 'kysely';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../src/auth/sessions/create-session-store.ts';
import { createInProcessBus } from '../src/bus/in-process-bus.ts';
import { assert } from '../src/lib/assert.ts';
import { systemClock } from '../src/lib/clock.ts';
import { type UserId, uuidFromId } from '../src/lib/ids.ts';
import { removeKeys } from '../tests/bus/redis-support.ts';
import { insertBareUser } from '../tests/support/account.ts';
import type { AuthServerCommand, AuthServerReport } from './auth/server.ts';
import { type RecordedMonth, recordMonth } from './history/recorded-month.ts';
import { startChild } from './support/child.ts';
import { interleave } from './support/interleave.ts';
import { median, parseBenchArguments, printTable, rounded, writeResults } from './support/report.ts';

/**
 * What do session, scopes, cost, buckets, limits and our own routes cost? The same query, a page of 20 events with the people in
 * them, asked of the API by somebody signed in and of stock Yoga with the same types, resolvers and viewer, in turn.
 */
const { quick } = parseBenchArguments(process.argv.slice(2));
const CONNECTIONS = 16;
const PAGE_EVENTS = 20;
const SECONDS = quick ? 1 : 3;
const ROUNDS = quick ? 6 : 20;
const WARM_UP_ROUNDS = quick ? 1 : 2;
const REDIS_URL = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const KEY_PREFIX = `bench${process.pid}`;

const QUERY = `query Page($id: ID!) {
  channel(id: $id) {
    handle
    events(first: ${PAGE_EVENTS}, filter: { types: [CHAT, GIFT] }) {
      edges { cursor node {
        id type sequence occurredAt
        actor { displayName alias isModerator }
        ... on ChatEvent { message }
        ... on GiftEvent { giftName giftCount coins }
      } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

/** Requests answered in a second, and what each took of the server's CPU, in milliseconds. */
interface Sample {
  readonly perSecond: number;
  readonly cpuMs: number;
}

async function startVariant(
  month: RecordedMonth,
  name: 'SECURED' | 'STOCK',
  { userId, headers }: { readonly userId: UserId; readonly headers: Readonly<Record<string, string>> },
) {
  const args = [name, month.url, REDIS_URL, KEY_PREFIX, userId, month.channelId];
  const child = startChild<AuthServerCommand, AuthServerReport>('auth/server.ts', args);
  const { url } = await child.next('READY');
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const body = JSON.stringify({ query: QUERY, variables: { id: month.channelId } });
  const ask = () => post(`${url}/graphql`, { agent, body, headers });
  checkPage(await ask());
  const cpuMs = async () => {
    const loaded = child.next('LOADED');
    child.tell({ kind: 'LOAD' });
    return (await loaded).cpuMs;
  };
  return {
    name,
    run: async (): Promise<Sample> => {
      await cpuMs();
      const startedAt = performance.now();
      const until = startedAt + SECONDS * 1_000;
      let answered = 0;
      const client = async () => {
        while (performance.now() < until) {
          await ask();
          answered += 1;
        }
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, client));
      const seconds = (performance.now() - startedAt) / 1_000;
      return { perSecond: answered / seconds, cpuMs: (await cpuMs()) / answered };
    },
    stop: async () => {
      agent.destroy();
      await child.stop({ kind: 'STOP' });
    },
  };
}

function post(
  url: string,
  { agent, body, headers }: { agent: Agent; body: string; headers: Readonly<Record<string, string>> },
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const length = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
  const sent = request(url, { method: 'POST', agent, headers: { ...headers, ...length } }, (response) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    response.on('error', reject);
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

/** The bench must not be fast because it reads nothing. */
function checkPage(text: string): void {
  const { data, errors } = JSON.parse(text);
  assert(errors === undefined, `the page has errors: ${JSON.stringify(errors)}`);
  const edges = data.channel.events.edges as { node: { actor: { displayName: string } } }[];
  assert(edges.length === PAGE_EVENTS, 'the page is full');
  assert(
    edges.every(({ node }) => node.actor.displayName.length > 0),
    'every event has its person',
  );
}

/** Somebody who owns the channel, and their cookie. */
async function signIn(month: RecordedMonth): Promise<{ readonly userId: UserId; readonly cookie: string }> {
  const userId = await insertBareUser(month);
  await sql`insert into channel_member (channel_id, user_id, role)
    values (${uuidFromId(month.channelId)}, ${uuidFromId(userId)}, 'OWNER')`.execute(month.db);
  const bus = createInProcessBus({ clock: systemClock });
  const sessions = createSessionStore({ ...month, bus, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
  const { token } = await sessions.create({ userId, mfaAt: null, userAgent: null, address: null });
  await bus.close();
  return { userId, cookie: `__Host-tl_session=${token}` };
}

await using month = await recordMonth('auth', {
  events: quick ? 6_000 : 30_000,
  places: 5,
  pageEvents: PAGE_EVENTS,
});
const { userId, cookie } = await signIn(month);
const variants = [
  await startVariant(month, 'SECURED', { userId, headers: { cookie, 'x-tallylight-csrf': '1' } }),
  await startVariant(month, 'STOCK', { userId, headers: {} }),
];
await interleave(WARM_UP_ROUNDS, variants);
const samples = await interleave(ROUNDS, variants);
for (const variant of variants) await variant.stop();
await removeKeys(REDIS_URL, KEY_PREFIX);

const secured = samples.get('SECURED') ?? [];
const stock = samples.get('STOCK') ?? [];
const ratios = secured.map((sample, round) => sample.perSecond / (stock[round]?.perSecond ?? Number.NaN));
const summary = (of: readonly Sample[]) => ({
  'requests/s': rounded(median(of.map(({ perSecond }) => perSecond)), 0),
  'server CPU ms': rounded(median(of.map(({ cpuMs }) => cpuMs))),
});
process.stdout.write(`\na page of ${PAGE_EVENTS} events with people, ${CONNECTIONS} connections\n\n`);
printTable([
  { server: 'secured', ...summary(secured) },
  { server: 'stock Yoga', ...summary(stock) },
]);
const securedOverStock = rounded(median(ratios));
process.stdout.write(`\nsecured over stock: ${securedOverStock}\n`);
await writeResults('auth', {
  figures: {
    securedOverStock,
    securedPerSecond: summary(secured)['requests/s'],
    stockPerSecond: summary(stock)['requests/s'],
    securedCpuMs: summary(secured)['server CPU ms'],
    stockCpuMs: summary(stock)['server CPU ms'],
  },
  details: { quick, rounds: ROUNDS, seconds: SECONDS, connections: CONNECTIONS, pageEvents: PAGE_EVENTS },
});
