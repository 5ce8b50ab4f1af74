import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConnectionEnd, SOURCE_FAILURES, type SourceFailure } from '../../../src/ingest/live-source.ts';
import { CONNECTION_STATES } from '../../../src/ingest/supervisor/connection-state.ts';
import {
  decide,
  INITIAL_STATE,
  type SupervisorEffect,
  type SupervisorEvent,
  type SupervisorState,
} from '../../../src/ingest/supervisor/supervisor-machine.ts';

const CLOSED: ConnectionEnd = { kind: 'CLOSED', code: 1006, reason: '' };
const live: SupervisorState = { connection: 'LIVE', link: 'OPEN', attempt: 0, gapOpen: false };
const connecting: SupervisorState = { connection: 'CONNECTING', link: 'OPENING', attempt: 0, gapOpen: false };
const failed = (failure: SourceFailure, retryAfterMs: number | null = null): SupervisorEvent => ({
  kind: 'FAILED',
  failure,
  retryAfterMs,
});
const kinds = (effects: readonly SupervisorEffect[]) => effects.map(({ kind }) => kind);

/** `state --event--> connection/link, effects`: the table of connection-state.ts, move by move. */
const TABLE: readonly [string, SupervisorState, SupervisorEvent, string, readonly string[]][] = [
  ['a wish', INITIAL_STATE, { kind: 'START' }, 'CONNECTING/OPENING', ['OPEN_LINK']],
  ['a joined room', connecting, { kind: 'OPENED' }, 'LIVE/OPEN', []],
  ['nobody live', connecting, failed('OFFLINE'), 'OFFLINE/NONE', ['END_STREAM', 'RETRY']],
  ['nobody there', connecting, failed('UNKNOWN_HANDLE'), 'OFFLINE/NONE', ['RETRY']],
  ['a limit', connecting, failed('RATE_LIMITED', 9_000), 'RECONNECTING/NONE', ['RETRY']],
  ['a refusal', connecting, failed('BLOCKED'), 'BLOCKED/NONE', ['RETRY']],
  ['an age limit', connecting, failed('AGE_RESTRICTED'), 'BLOCKED/NONE', ['RETRY']],
  ['a suspension', connecting, failed('SUSPENDED'), 'SUSPENDED/NONE', ['END_STREAM', 'RETRY']],
  ['a failing sign server', connecting, failed('SIGN_SERVER'), 'RECONNECTING/NONE', ['RETRY']],
  ['a failing network', connecting, failed('NETWORK'), 'RECONNECTING/NONE', ['RETRY']],
  ['silence', live, { kind: 'SILENT' }, 'STALLED/OPEN', ['OPEN_GAP']],
  [
    'messages after silence',
    { ...live, connection: 'STALLED', gapOpen: true },
    { kind: 'FLOWING' },
    'LIVE/OPEN',
    ['CLOSE_GAP'],
  ],
  [
    'long silence',
    { ...live, connection: 'STALLED', gapOpen: true },
    { kind: 'SILENT_TOO_LONG' },
    'RECONNECTING/CLOSING',
    ['CLOSE_LINK'],
  ],
  [
    'the end of what was silent',
    { ...live, connection: 'RECONNECTING', link: 'CLOSING', gapOpen: true },
    { kind: 'CLOSED', end: { kind: 'ABORTED' } },
    'RECONNECTING/NONE',
    ['END_SESSION', 'RETRY'],
  ],
  ['a cut', live, { kind: 'CLOSED', end: CLOSED }, 'RECONNECTING/NONE', ['END_SESSION', 'OPEN_GAP', 'RETRY']],
  [
    'the end of the stream',
    live,
    { kind: 'CLOSED', end: { kind: 'STREAM_ENDED' } },
    'ENDED/NONE',
    ['END_SESSION', 'END_STREAM', 'RETRY'],
  ],
  [
    'the end of a stalled stream',
    { ...live, connection: 'STALLED', gapOpen: true },
    { kind: 'CLOSED', end: { kind: 'STREAM_ENDED' } },
    'ENDED/NONE',
    ['END_SESSION', 'END_STREAM', 'RETRY'],
  ],
  [
    'a suspended stream',
    live,
    { kind: 'CLOSED', end: { kind: 'STREAM_SUSPENDED' } },
    'SUSPENDED/NONE',
    ['END_SESSION', 'END_STREAM', 'RETRY'],
  ],
  [
    'the pause is over',
    { ...connecting, connection: 'RECONNECTING', link: 'NONE' },
    { kind: 'RETRY_DUE' },
    'CONNECTING/OPENING',
    ['OPEN_LINK'],
  ],
  [
    'another look',
    { ...connecting, connection: 'OFFLINE', link: 'NONE' },
    { kind: 'RETRY_DUE' },
    'CONNECTING/OPENING',
    ['OPEN_LINK'],
  ],
  [
    'a look after the end',
    { ...connecting, connection: 'ENDED', link: 'NONE' },
    { kind: 'RETRY_DUE' },
    'CONNECTING/OPENING',
    ['OPEN_LINK'],
  ],
  ['a stop while live', live, { kind: 'STOP' }, 'STOPPED/CLOSING', ['CLOSE_LINK']],
  ['a stop while connecting', connecting, { kind: 'STOP' }, 'STOPPED/CANCELLING', ['CLOSE_LINK']],
  [
    'a stop while waiting',
    { ...connecting, connection: 'BLOCKED', link: 'NONE' },
    { kind: 'STOP' },
    'STOPPED/NONE',
    ['CANCEL_RETRY'],
  ],
  [
    'the end of a stopped session',
    { ...live, connection: 'STOPPED', link: 'CLOSING' },
    { kind: 'CLOSED', end: { kind: 'ABORTED' } },
    'STOPPED/NONE',
    ['END_SESSION', 'OPEN_GAP'],
  ],
  [
    'a stopped attempt',
    { ...connecting, connection: 'STOPPED', link: 'CANCELLING' },
    failed('ABORTED'),
    'STOPPED/NONE',
    [],
  ],
  [
    'a wish renewed while closing',
    { ...live, connection: 'STOPPED', link: 'CLOSING' },
    { kind: 'START' },
    'CONNECTING/CLOSING',
    [],
  ],
  [
    'what a renewed wish waited for',
    { ...live, connection: 'CONNECTING', link: 'CLOSING' },
    { kind: 'CLOSED', end: { kind: 'ABORTED' } },
    'CONNECTING/OPENING',
    ['END_SESSION', 'OPEN_GAP', 'OPEN_LINK'],
  ],
];

describe('the supervisor machine', () => {
  it.each(TABLE)('answers %s', (_name, state, event, next, effects) => {
    const decision = decide(state, event);
    expect(`${decision.state.connection}/${decision.state.link}`).toBe(next);
    expect(kinds(decision.effects)).toEqual(effects);
  });

  it('waits longer with every failure in a row, and from the beginning after messages came', () => {
    const first = decide(connecting, failed('NETWORK'));
    expect(first.effects).toEqual([{ kind: 'RETRY', after: 'BACKOFF', attempt: 1, atLeastMs: 0 }]);
    const second = decide(decide(first.state, { kind: 'RETRY_DUE' }).state, failed('NETWORK'));
    expect(second.effects).toEqual([{ kind: 'RETRY', after: 'BACKOFF', attempt: 2, atLeastMs: 0 }]);
    const opened = decide(decide(second.state, { kind: 'RETRY_DUE' }).state, { kind: 'OPENED' });
    expect(opened.state.attempt).toBe(2); // an open socket alone proves nothing
    expect(decide(opened.state, { kind: 'FLOWING' }).state.attempt).toBe(0);
  });

  it('waits at least as long as a limit says', () => {
    expect(decide(connecting, failed('RATE_LIMITED', 9_000)).effects).toEqual([
      { kind: 'RETRY', after: 'BACKOFF', attempt: 1, atLeastMs: 9_000 },
    ]);
  });
});

const ENDS: readonly ConnectionEnd[] = [
  CLOSED,
  { kind: 'ABORTED' },
  { kind: 'STREAM_ENDED' },
  { kind: 'STREAM_SUSPENDED' },
];

/** Every event there is. */
const EVENTS: readonly SupervisorEvent[] = [
  { kind: 'START' },
  { kind: 'STOP' },
  { kind: 'OPENED' },
  { kind: 'GAP_FOUND' },
  { kind: 'FLOWING' },
  { kind: 'SILENT' },
  { kind: 'SILENT_TOO_LONG' },
  { kind: 'RETRY_DUE' },
  ...SOURCE_FAILURES.map((failure) => failed(failure)),
  ...ENDS.map((end): SupervisorEvent => ({ kind: 'CLOSED', end })),
];

/** What really is there, as the effects make it. Throws where an effect would make two of something. */
class World {
  link: 'NONE' | 'OPENING' | 'OPEN' = 'NONE';
  session: boolean = false;
  gap: boolean = false;
  timer: boolean = false;

  /** An event about a link comes only where there is such a link. */
  possible(event: SupervisorEvent): boolean {
    switch (event.kind) {
      case 'OPENED':
      case 'FAILED':
        return this.link === 'OPENING';
      case 'CLOSED':
      case 'GAP_FOUND':
      case 'FLOWING':
      case 'SILENT':
      case 'SILENT_TOO_LONG':
        return this.link === 'OPEN';
      case 'RETRY_DUE':
        return this.timer;
      default:
        return true;
    }
  }

  happens(event: SupervisorEvent): void {
    if (event.kind === 'OPENED') {
      this.link = 'OPEN';
      this.session = true;
    }
    if (event.kind === 'GAP_FOUND') this.gap = true;
    if (event.kind === 'FAILED' || event.kind === 'CLOSED') this.link = 'NONE';
    if (event.kind === 'RETRY_DUE') this.timer = false;
  }

  performs(effect: SupervisorEffect): void {
    switch (effect.kind) {
      case 'OPEN_LINK':
        if (this.link !== 'NONE') throw new Error('a second connection');
        if (this.session) throw new Error('a connection before the last session ended');
        this.link = 'OPENING';
        return;
      case 'CLOSE_LINK':
        if (this.link === 'NONE') throw new Error('closes nothing');
        return;
      case 'END_SESSION':
        if (!this.session) throw new Error('ends no session');
        this.session = false;
        return;
      case 'OPEN_GAP':
        if (this.gap) throw new Error('a gap within a gap');
        this.gap = true;
        return;
      case 'CLOSE_GAP':
        if (!this.gap) throw new Error('closes no gap');
        this.gap = false;
        return;
      case 'END_STREAM':
        this.gap = false;
        return;
      case 'RETRY':
        if (this.timer) throw new Error('two retries');
        this.timer = true;
        return;
      case 'CANCEL_RETRY':
        this.timer = false;
    }
  }
}

/** The machine and the world around it, moved by one possible event; checks what must always hold. */
function move(state: SupervisorState, world: World, event: SupervisorEvent): SupervisorState {
  world.happens(event);
  const decision = decide(state, event);
  for (const effect of decision.effects) world.performs(effect);
  const next = decision.state;
  const wanted = next.connection !== 'STOPPED';
  if (event.kind === 'START') expect(wanted).toBe(true);
  if (event.kind === 'STOP') expect(wanted).toBe(false);
  if (event.kind !== 'START' && event.kind !== 'STOP') expect(wanted).toBe(state.connection !== 'STOPPED');
  expect(world.link === 'NONE').toBe(next.link === 'NONE');
  expect(world.gap).toBe(next.gapOpen);
  // Never stuck while wanted; nothing left running when not.
  expect(world.timer || world.link !== 'NONE').toBe(wanted || world.link !== 'NONE');
  if (!wanted) expect(world.timer).toBe(false);
  return next;
}

/** The events that can come: about a link only where there is one, and a stopped attempt never reports a joined room. */
function possibleEvents(state: SupervisorState, world: World): readonly SupervisorEvent[] {
  return EVENTS.filter(
    (event) => world.possible(event) && !(event.kind === 'OPENED' && state.link === 'CANCELLING'),
  );
}

/** Every situation that can be reached, with every event that can come in it. */
function* everyMove(): Generator<{ before: SupervisorState; after: SupervisorState }> {
  const seen = new Set<string>();
  const waiting: { state: SupervisorState; world: World }[] = [{ state: INITIAL_STATE, world: new World() }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { state, world } = next;
    for (const event of possibleEvents(state, world)) {
      const worldAfter = Object.assign(new World(), world);
      const after = move(state, worldAfter, event);
      yield { before: state, after };
      // The count of attempts only sets the length of a pause.
      const key = JSON.stringify([{ ...after, attempt: 0 }, worldAfter]);
      if (seen.has(key)) continue;
      seen.add(key);
      waiting.push({ state: after, world: worldAfter });
    }
  }
}

describe('in every situation that can be reached, whatever event comes', () => {
  it('there are never two connections, it is never stuck while wanted, and nothing runs when it is not', () => {
    const moves = [...everyMove()];
    expect(moves.length).toBeGreaterThan(150);
    expect(new Set(moves.map(({ after }) => after.connection))).toEqual(new Set(CONNECTION_STATES));
  });

  it('holds over long sequences too', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 200 }), (choices) => {
        const world = new World();
        let state = INITIAL_STATE;
        for (const choice of choices) {
          const events = possibleEvents(state, world);
          const event = events[choice % events.length];
          if (event !== undefined) state = move(state, world, event);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('moves as connection-state.ts documents, and makes every move documented there', () => {
    const seen = new Map<string, Set<string>>(CONNECTION_STATES.map((state) => [state, new Set()]));
    for (const { before, after } of everyMove()) {
      if (before.connection !== after.connection) seen.get(before.connection)?.add(after.connection);
    }
    const documented = documentedMoves();
    expect([...documented.keys()]).toEqual(CONNECTION_STATES);
    expect([...seen].map(([state, moves]) => [state, [...moves].sort()])).toEqual(
      [...documented].map(([state, moves]) => [state, moves.toSorted()]),
    );
  });

  it('changes nothing at an event about a link where there is none', () => {
    for (const { after } of everyMove()) {
      if (after.link !== 'NONE') continue;
      for (const event of EVENTS) {
        if (['START', 'STOP', 'RETRY_DUE'].includes(event.kind)) continue;
        expect(decide(after, event)).toEqual({ state: after, effects: [] });
      }
    }
  });
});

/** The moves that connection-state.ts documents: the last column of its table. */
function documentedMoves(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync('src/ingest/supervisor/connection-state.ts', 'utf8');
  const rows = [...text.matchAll(/^ \* \| ([A-Z]+) \| .* \| (.*) \|$/gm)];
  return new Map(
    rows.map(([, state = '', moves = '']) => [
      state,
      CONNECTION_STATES.filter((next) => new RegExp(`\\b${next}\\b`).test(moves)),
    ]),
  );
}
