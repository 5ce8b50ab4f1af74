import { type EventQuery, listEvents } from '../src/events/history.ts';
import { streamTotals, topGifters } from '../src/events/stream-stats.ts';
import { assert } from '../src/lib/assert.ts';
import { type RecordedMonth, recordMonth } from './history/recorded-month.ts';
import { interleave, timed } from './support/interleave.ts';
import {
  median,
  parseBenchArguments,
  percentile,
  printTable,
  rounded,
  writeResults,
} from './support/report.ts';

/**
 * Does reading history get slower as there is more of it? Reads the same pages and counters, through the functions that
 * the API calls, from a month with few events and a month with many, in turn, and compares the medians.
 */

const PAGE_EVENTS = 50;
const TOP_GIFTERS = 10;
/** Places read from: every fifth page is the first, the others lie anywhere in the month. */
const PLACES = 40;
const FIRST_PAGE_EVERY = 5;
/** Reads before anything is measured: plans are made and caches filled. */
const WARM_UP_ROUNDS = PLACES;

const { quick } = parseBenchArguments(process.argv.slice(2));
const sizes = quick ? { small: 50_000, large: 500_000 } : { small: 100_000, large: 5_000_000 };
const rounds = quick ? 100 : 1_000;

/** One thing that is read, from one of the months; `round` chooses the place. */
type Read = (month: RecordedMonth, round: number) => Promise<unknown>;

const page =
  (query: Partial<EventQuery>): Read =>
  async (month, round) => {
    const place = round % FIRST_PAGE_EVERY === 0 ? undefined : month.places[round % PLACES];
    const after = place === undefined ? {} : { after: { ...place, sequence: place.sequence + 1 } };
    return listEvents(month, {
      channelId: month.channelId,
      order: 'DESC',
      first: PAGE_EVENTS,
      ...query,
      ...after,
    });
  };

const counters: Read = async (month, round) => {
  const streamId = month.streamIds[round % month.streamIds.length];
  assert(streamId !== undefined, 'a month has streams');
  await streamTotals(month, [streamId]);
  return topGifters(month, { streamId, first: TOP_GIFTERS });
};

/** The first two are held against the bar; the others show that no filter falls out of line. */
const reads: Readonly<Record<string, Read>> = {
  'page of chat and gifts': page({ types: ['CHAT', 'GIFT'] }),
  'counters and top 10': counters,
  'page of chat': page({ types: ['CHAT'] }),
  'page of everything': page({}),
  'page of a rare type': page({ types: ['ENVELOPE'] }),
  'page of large gifts': page({ types: ['GIFT'], coinsMin: 10_000 }),
};

interface Measured {
  readonly small: readonly number[];
  readonly large: readonly number[];
}

async function measure(small: RecordedMonth, large: RecordedMonth, read: Read): Promise<Measured> {
  let round = 0;
  const variants = [small, large].map((month) => ({
    name: String(month.events),
    run: () => timed(() => read(month, Math.floor(round++ / 2))),
  }));
  await interleave(WARM_UP_ROUNDS, variants);
  round = 0;
  const samples = await interleave(rounds, variants);
  return { small: samples.get(String(small.events)) ?? [], large: samples.get(String(large.events)) ?? [] };
}

/** The bench must not be fast because it reads nothing. */
async function checkPages(month: RecordedMonth): Promise<void> {
  for (const after of [undefined, ...month.places]) {
    const query = {
      channelId: month.channelId,
      order: 'DESC',
      first: PAGE_EVENTS,
      types: ['CHAT', 'GIFT'],
    } as const;
    const { items } = await listEvents(month, { ...query, ...(after === undefined ? {} : { after }) });
    assert(items.length === PAGE_EVENTS, 'every page is full');
    assert(
      items.every((item) => item.personal === 'READABLE'),
      'every message can be read',
    );
    assert(
      items.every((item) => item.event.user !== null),
      'every event has its person',
    );
  }
}

async function generate(name: string, events: number): Promise<RecordedMonth> {
  const startedAt = performance.now();
  const month = await recordMonth(name, { events, places: PLACES, pageEvents: PAGE_EVENTS });
  try {
    await checkPages(month);
  } catch (error) {
    await month[Symbol.asyncDispose]();
    throw error;
  }
  const seconds = rounded((performance.now() - startedAt) / 1000, 1);
  process.stdout.write(
    `${events.toLocaleString('en')} events of ${month.members} people recorded in ${seconds} s\n`,
  );
  return month;
}

await using small = await generate('small', sizes.small);
await using large = await generate('large', sizes.large);
const results = new Map<string, Measured>();
for (const [name, read] of Object.entries(reads)) results.set(name, await measure(small, large, read));

const growthOf = (measured: Measured | undefined) =>
  measured === undefined ? Number.NaN : rounded(median(measured.large) / median(measured.small));
const rows = [...results].map(([name, measured]) => ({
  read: name,
  'small p50 ms': rounded(median(measured.small)),
  'small p95 ms': rounded(percentile(measured.small, 0.95)),
  'large p50 ms': rounded(median(measured.large)),
  'large p95 ms': rounded(percentile(measured.large, 0.95)),
  growth: growthOf(measured),
}));
process.stdout.write('\n');
printTable(rows);

const pages = results.get('page of chat and gifts');
const counted = results.get('counters and top 10');
await writeResults('history', {
  figures: {
    pageGrowth: growthOf(pages),
    countersGrowth: growthOf(counted),
    pageP50Ms: rounded(median(pages?.large ?? [])),
    pageP95Ms: rounded(percentile(pages?.large ?? [], 0.95)),
    countersP50Ms: rounded(median(counted?.large ?? [])),
    countersP95Ms: rounded(percentile(counted?.large ?? [], 0.95)),
  },
  details: {
    quick,
    sizes,
    rounds,
    pageEvents: PAGE_EVENTS,
    members: { small: small.members, large: large.members },
    rows,
  },
});
