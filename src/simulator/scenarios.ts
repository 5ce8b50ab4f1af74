import { createRandom } from '../lib/random.ts';
import * as does from './activities.ts';
import { battle } from './battle.ts';
import { giftActivity } from './gift-activity.ts';
import type { TimedMessage } from './script-message.ts';
import { Stage } from './stage.ts';

interface Scenario {
  readonly meaning: string;
  /** Messages per second unless another rate is asked for. */
  readonly ratePerSecond: number;
  readonly viewers: number;
  /** What viewers do and how often, in relation to each other. */
  readonly mix: readonly (readonly [does.Activity, number])[];
  /** What happens besides, first at the given millisecond. */
  readonly plot: readonly { readonly atMs: number; readonly act: does.Activity }[];
  /** How many times the rate is in force at this moment; 1 when left out. */
  readonly surge?: (atMs: number) => number;
}

/** A raid comes every 60 s and lasts 15 s, in milliseconds. The first comes soon, so that nobody waits for it. */
const RAID = { everyMs: 60_000, firstMs: 10_000, lastsMs: 15_000, factor: 5 } as const;

/** What happens in any room. */
const SMALL_TALK: Scenario['mix'] = [
  [does.chat, 36],
  [does.like, 24],
  [does.join, 20],
  [does.follow, 3],
  [does.share, 2],
  [does.emote, 2],
  [does.question, 1],
  [does.barrage, 2],
  [does.subscribe, 0.5],
  [does.envelope, 0.4],
  [does.deletion, 0.4],
  [does.rename, 0.3],
  [does.novelty, 4],
  [does.pause, 0.1],
];

/** Every scenario by name. */
export const SCENARIOS = {
  quiet: {
    meaning: 'a small room: a little talk, a gift now and then',
    ratePerSecond: 2,
    viewers: 40,
    mix: [...SMALL_TALK, [giftActivity(6), 3]],
    plot: [],
  },
  busy: {
    meaning: 'a busy room: talk, likes and gift streaks all the time',
    ratePerSecond: 10,
    viewers: 800,
    mix: [...SMALL_TALK, [giftActivity(20), 4]],
    plot: [],
  },
  'gift-storm': {
    meaning: 'gifts above all, in many long streaks at once',
    ratePerSecond: 40,
    viewers: 300,
    mix: [...SMALL_TALK, [giftActivity(60), 60]],
    plot: [],
  },
  raid: {
    meaning:
      'another audience floods in: for 15 s of every minute five times the messages, mostly joins and greetings',
    ratePerSecond: 15,
    viewers: 3_000,
    mix: [...SMALL_TALK, [does.join, 60], [does.follow, 6], [giftActivity(8), 2]],
    plot: [],
    surge: (atMs) =>
      atMs >= RAID.firstMs && (atMs - RAID.firstMs) % RAID.everyMs < RAID.lastsMs ? RAID.factor : 1,
  },
  battle: {
    meaning: 'one battle after the other against another streamer, with scores that follow the gifts',
    ratePerSecond: 10,
    viewers: 500,
    mix: [...SMALL_TALK, [giftActivity(25), 12]],
    plot: [{ atMs: 3_000, act: battle }],
  },
} as const satisfies Readonly<Record<string, Scenario>>;
export type ScenarioName = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as readonly ScenarioName[]; // the keys of the object above are its type's

export interface ScenarioOptions {
  readonly scenario: ScenarioName;
  /** The same seed gives the same messages at the same times. */
  readonly seed: string;
  /** Messages per second on average, beside viewer counts and battle scores; the scenario's own when left out. */
  readonly ratePerSecond?: number;
  /** How many different people there are; the scenario's own number when left out. */
  readonly viewers?: number;
  readonly hostId: string;
}

/** Longest step between two looks at the agenda, in milliseconds. */
const STEP_MS_MAX = 500;

/** The scenario's messages in the order of their times, without end. Depends on nothing but its options. */
export function* playScenario(options: ScenarioOptions): Generator<TimedMessage, never> {
  const scenario: Scenario = SCENARIOS[options.scenario];
  const random = createRandom(options.seed).fork(options.scenario);
  const stage = new Stage(random, { viewers: options.viewers ?? scenario.viewers, hostId: options.hostId });
  const rate = options.ratePerSecond ?? scenario.ratePerSecond;
  stage.act(0, does.viewerCount);
  for (const { atMs, act } of scenario.plot) stage.act(atMs, act);
  // Messages owed to the rate. Streaks go on by themselves; somebody does something new only while messages are owed.
  let owed = 1;
  for (let nowMs = 0; ; ) {
    const stepMs = Math.min(STEP_MS_MAX, (1_000 / rate) * (0.5 + random.next()));
    owed = Math.min(1 + rate, owed + (rate / 1_000) * stepMs * (scenario.surge?.(nowMs) ?? 1));
    nowMs += stepMs;
    for (;;) {
      for (const { atMs, message, metered } of due(stage, nowMs)) {
        if (metered) owed -= 1;
        yield { atMs, message };
      }
      if (owed < 1) break;
      drawActivity(scenario, stage)(stage, nowMs);
    }
  }
}

/** What is due, acts played out. */
function* due(stage: Stage, nowMs: number): Generator<TimedMessage & { readonly metered: boolean }> {
  for (let next = stage.agenda.takeDue(nowMs); next !== undefined; next = stage.agenda.takeDue(nowMs)) {
    if (next.item.kind === 'ACT') next.item.act(stage, next.atMs);
    else yield { atMs: next.atMs, message: next.item.message, metered: next.item.metered };
  }
}

function drawActivity(scenario: Scenario, stage: Stage): does.Activity {
  const total = scenario.mix.reduce((sum, [, weight]) => sum + weight, 0);
  let left = stage.random.next() * total;
  for (const [activity, weight] of scenario.mix) {
    left -= weight;
    if (left < 0) return activity;
  }
  return does.chat;
}
