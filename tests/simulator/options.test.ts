import { describe, expect, it } from 'vitest';
import { FAULT_NAMES } from '../../src/simulator/faults.ts';
import {
  FAULT_CHOICES,
  HANDLE_CHOICES,
  parseSimulateOptions,
  SCENARIO_CHOICES,
  SIMULATE_OPTIONS,
  SimulateOptionError,
} from '../../src/simulator/options.ts';

const parse = (typed: Readonly<Record<string, string>>) => parseSimulateOptions((name) => typed[name]);

it('has a default for everything', () => {
  expect(parse({})).toEqual({
    scenario: 'busy',
    ratePerSecond: null,
    viewers: null,
    seed: 1,
    handles: ['simulated'],
    port: 0,
    faults: [],
    endAfterMs: null,
    liveAgainAfterMs: null,
    floodMessagesMax: null,
  });
});

it('takes every option', () => {
  const typed = {
    scenario: 'gift-storm',
    rate: '12.5',
    viewers: '30',
    seed: '42',
    handle: '@ada, grace.hopper',
    port: '4480',
    fault: '429=7:3, cut:0.5%, silence, history=5',
    'end-after': '60',
    'live-again-after': '2.5',
    messages: '1000',
  };
  expect(new Set(Object.keys(typed))).toEqual(new Set(SIMULATE_OPTIONS.map((option) => option.name)));
  expect(parse(typed)).toEqual({
    scenario: 'gift-storm',
    ratePerSecond: 12.5,
    viewers: 30,
    seed: 42,
    handles: ['ada', 'grace.hopper'],
    port: 4480,
    faults: [
      { name: '429', value: 7, next: 3 },
      { name: 'cut', probability: 0.005 },
      { name: 'silence' },
      { name: 'history', value: 5 },
    ],
    endAfterMs: 60_000,
    liveAgainAfterMs: 2_500,
    floodMessagesMax: 1_000,
  });
});

it.each(SCENARIO_CHOICES.map((choice) => choice.name))(
  'knows the scenario %s that its help names',
  (name) => {
    expect(parse({ scenario: name }).scenario).toBe(name === 'none' ? null : name);
  },
);

it.each(FAULT_CHOICES.map((choice) => choice.name))('knows the fault %s that its help names', (name) => {
  expect(parse({ fault: name }).faults).toEqual([{ name }]);
});

it('says in one line what each word means', () => {
  expect(FAULT_CHOICES.map((choice) => choice.name)).toEqual([...FAULT_NAMES]);
  for (const { meaning } of [...SCENARIO_CHOICES, ...FAULT_CHOICES, ...HANDLE_CHOICES]) {
    expect(meaning).toMatch(/^[^\n]{15,140}$/);
  }
  expect(FAULT_CHOICES[0]).toEqual({
    name: '429',
    meaning: 'the sign server answers 429 with Retry-After (=seconds to wait, default 5)',
  });
});

describe('refuses in one sentence', () => {
  it.each([
    [
      { scenario: 'bsy' },
      '--scenario has "bsy": it must be one of quiet, busy, gift-storm, raid, battle, flood, none.',
    ],
    [{ rate: '0' }, '--rate is "0": it must be a number from 0.01 to 50000.'],
    [{ rate: '1e3' }, '--rate is "1e3": it must be a number from 0.01 to 50000.'],
    [{ viewers: '2.5' }, '--viewers is "2.5": it must be a whole number from 1 to 100000.'],
    [{ port: '65536' }, '--port is "65536": it must be a whole number from 0 to 65535.'],
    [{ seed: '-1' }, '--seed is "-1": it must be a whole number from 0 to 4294967295.'],
    [
      { handle: 'ada,no spaces' },
      '--handle has "no spaces": a handle is 2 to 24 letters, digits, underscores and dots.',
    ],
    [{ handle: ',' }, '--handle must name 1 to 100 handles.'],
    [{ fault: 'cut=3' }, '--fault has "cut=3": cut takes no value.'],
    [
      { fault: 'cut:0' },
      '--fault has "cut:0": after the name may come =value and then :3 (the next 3 times) or :5% (5 % of the times).',
    ],
    [
      { fault: 'cut:101%' },
      '--fault has "cut:101%": after the name may come =value and then :3 (the next 3 times) or :5% (5 % of the times).',
    ],
    [{ 'end-after': '90000' }, '--end-after is "90000": it must be a number from 0 to 86400.'],
  ])('%j', (typed, sentence) => {
    expect(() => parse(typed as unknown as Record<string, string>)).toThrow(
      new SimulateOptionError(sentence),
    );
  });

  it('an unknown fault, naming those there are', () => {
    expect(() => parse({ fault: 'cutt' })).toThrow(
      `--fault has "cutt": it must be one of ${FAULT_NAMES.join(', ')}.`,
    );
  });
});
