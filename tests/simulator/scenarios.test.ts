import { describe, expect, it } from 'vitest';
import {
  playScenario,
  SCENARIO_NAMES,
  SCENARIOS,
  type ScenarioOptions,
} from '../../src/simulator/scenarios.ts';
import type { TimedMessage } from '../../src/simulator/script-message.ts';
import type { WebcastFields } from '../../src/simulator/webcast-message.ts';

const HOST = '6500000000000000001';

const play = (options: Omit<ScenarioOptions, 'hostId'>, untilMs: number): readonly TimedMessage[] => {
  const messages: TimedMessage[] = [];
  for (const timed of playScenario({ ...options, hostId: HOST })) {
    if (timed.atMs > untilMs) return messages;
    messages.push(timed);
  }
  return messages;
};

const typeOf = ({ message }: TimedMessage): string =>
  message.kind === 'KNOWN' ? message.type : message.rawType;

const fieldsOf = <
  T extends 'WebcastGiftMessage' | 'WebcastLikeMessage' | 'WebcastLinkMicBattle' | 'WebcastLinkMicArmies',
>(
  messages: readonly TimedMessage[],
  type: T,
): readonly (WebcastFields<T> & { readonly atMs: number })[] =>
  messages.flatMap(({ atMs, message }) =>
    message.kind === 'KNOWN' && message.type === type
      ? [{ ...(message.fields as WebcastFields<T>), atMs }]
      : [],
  );

describe.each(SCENARIO_NAMES)('%s', (scenario) => {
  it('is the same for the same seed, and another for another', () => {
    expect(play({ scenario, seed: 'a' }, 20_000)).toEqual(play({ scenario, seed: 'a' }, 20_000));
    expect(play({ scenario, seed: 'a' }, 20_000)).not.toEqual(play({ scenario, seed: 'b' }, 20_000));
  });

  it('comes in the order of its times', () => {
    const times = play({ scenario, seed: 'order' }, 60_000).map((timed) => timed.atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('tells the viewer count every 2 s', () => {
    const counts = play({ scenario, seed: 'count' }, 60_000).filter(
      (timed) => typeOf(timed) === 'WebcastRoomUserSeqMessage',
    );
    expect(counts.map((timed) => timed.atMs)).toEqual(
      Array.from({ length: 31 }, (_, index) => index * 2_000),
    );
  });

  it('keeps to the rate that was asked for, on average', () => {
    // Beside the rate: viewer counts, battles and their scores. A raid multiplies it: only the time before counts.
    const seconds = scenario === 'raid' ? 10 : 60;
    const beside = ['WebcastRoomUserSeqMessage', 'WebcastLinkMicBattle', 'WebcastLinkMicArmies'];
    const metered = play({ scenario, seed: 'rate', ratePerSecond: 200 }, seconds * 1_000).filter(
      (timed) => !beside.includes(typeOf(timed)),
    );
    expect(metered.length / seconds / 200).toBeGreaterThan(0.9);
    expect(metered.length / seconds / 200).toBeLessThan(1.1);
  });
});

it('busy has every type of message that scenarios write, battles apart, and types that no schema has', () => {
  const types = new Set(play({ scenario: 'busy', seed: 'types', ratePerSecond: 500 }, 30_000).map(typeOf));
  expect(types).toEqual(
    new Set([
      'WebcastBarrageMessage',
      'WebcastChatMessage',
      'WebcastControlMessage',
      'WebcastEmoteChatMessage',
      'WebcastEnvelopeMessage',
      'WebcastGiftMessage',
      'WebcastImDeleteMessage',
      'WebcastLikeMessage',
      'WebcastMemberMessage',
      'WebcastQuestionNewMessage',
      'WebcastRoomUserSeqMessage',
      'WebcastSimulatedNoveltyMessage',
      'WebcastSimulatedRankMessage',
      'WebcastSocialMessage',
      'WebcastSubNotifyMessage',
    ]),
  );
});

describe('gifts of a storm', () => {
  const gifts = fieldsOf(play({ scenario: 'gift-storm', seed: 'gifts' }, 600_000), 'WebcastGiftMessage');
  const streaks = new Map<string, (typeof gifts)[number][]>();
  for (const gift of gifts) {
    if (gift.groupId === '0') continue;
    const steps = streaks.get(gift.groupId ?? '') ?? [];
    steps.push(gift);
    streaks.set(gift.groupId ?? '', steps);
  }
  const ended = [...streaks.values()].filter((steps) => steps.at(-1)?.repeatEnd === 1);

  it('grow within a streak, skip values, and repeat the last one at the end', () => {
    for (const steps of ended) {
      const counts = steps.map((step) => step.repeatCount ?? 0);
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      if (counts.length > 1) expect(counts.at(-1)).toBe(counts.at(-2));
    }
    const growths = ended.flatMap((steps) =>
      steps.slice(1, -1).map((step, index) => (step.repeatCount ?? 0) - (steps[index]?.repeatCount ?? 0)),
    );
    expect(new Set(growths)).toEqual(new Set([1, 2, 3, 4]));
  });

  it('belong to one sender, one gift and one receiver per streak', () => {
    for (const steps of streaks.values()) {
      const identities = steps.map((step) => `${step.user?.id}/${step.giftId}/${step.toUser?.id}`);
      expect(new Set(identities).size).toBe(1);
    }
  });

  it('end 1 to 4 s after the last step, some late, some never, some with nothing but the end', () => {
    const waits = ended.flatMap((steps) => {
      const [last, end] = steps.slice(-2);
      return last === undefined || end === undefined ? [] : [end.atMs - last.atMs];
    });
    const inTime = waits.filter((wait) => wait >= 1_000 && wait <= 4_000);
    const late = waits.filter((wait) => wait >= 12_000 && wait <= 20_000);
    expect(inTime.length + late.length).toBe(waits.length);
    expect(late.length).toBeGreaterThan(0);
    expect(streaks.size - ended.length).toBeGreaterThan(streaks.size * 0.05);
    expect(ended.some((steps) => steps.length === 1)).toBe(true);
  });

  it('make a naive sum wrong', () => {
    const naive = gifts.reduce((sum, gift) => sum + (gift.repeatCount ?? 0), 0);
    const maxima = [...streaks.values()].map((steps) =>
      Math.max(...steps.map((step) => step.repeatCount ?? 0)),
    );
    const single = gifts.filter((gift) => gift.groupId === '0').length;
    expect(naive).toBeGreaterThan(2 * (single + maxima.reduce((sum, max) => sum + max, 0)));
  });

  it('come once, of type 2 and without group or end, when they are dear', () => {
    const single = gifts.filter((gift) => gift.gift?.type === 2);
    expect(single.length).toBeGreaterThan(0);
    for (const gift of single) {
      expect(gift).toMatchObject({ groupId: '0', repeatCount: 1, repeatEnd: 0 });
    }
  });
});

it('like totals rise and sometimes go backwards', () => {
  const totals = fieldsOf(play({ scenario: 'busy', seed: 'likes' }, 600_000), 'WebcastLikeMessage').map(
    (like) => Number(like.total),
  );
  const backwards = totals.slice(1).filter((total, index) => total < (totals[index] ?? 0)).length;
  expect(backwards / totals.length).toBeGreaterThan(0.3);
  expect(backwards / totals.length).toBeLessThan(0.5);
  expect(totals.at(-1)).toBeGreaterThan(10 * (totals[0] ?? 0));
});

it('a raid brings five times the messages for 15 s of each minute', () => {
  const times = play({ scenario: 'raid', seed: 'raid' }, 60_000).map((timed) => timed.atMs);
  const within = (fromMs: number, toMs: number): number =>
    times.filter((at) => at >= fromMs && at < toMs).length;
  const surge = within(11_000, 25_000) / 14;
  const calm = within(30_000, 60_000) / 30;
  expect(surge / calm).toBeGreaterThan(3.5);
});

it('a battle opens, is scored every 2 s, and finishes with a winner who has the higher score', () => {
  const messages = play({ scenario: 'battle', seed: 'battle' }, 64_000);
  const [open, finish] = fieldsOf(messages, 'WebcastLinkMicBattle');
  const scores = fieldsOf(messages, 'WebcastLinkMicArmies');
  expect([open?.action, open?.atMs, finish?.action, finish?.atMs]).toEqual([4, 3_000, 5, 63_000]);
  expect(finish?.battleId).toBe(open?.battleId);
  expect(scores.length).toBe(29);
  const ours = Number(finish?.battleResult?.[HOST]?.score);
  const other = Object.entries(finish?.battleResult ?? {}).find(([id]) => id !== HOST)?.[1];
  expect(finish?.battleResult?.[HOST]?.result).toBe(ours > Number(other?.score) ? 0 : 1);
  expect(ours).toBeGreaterThan(0);
});

it('describes each scenario with its own rate and audience', () => {
  for (const name of SCENARIO_NAMES) {
    expect(SCENARIOS[name].ratePerSecond).toBeGreaterThan(0);
    expect(SCENARIOS[name].viewers).toBeGreaterThan(0);
  }
});
