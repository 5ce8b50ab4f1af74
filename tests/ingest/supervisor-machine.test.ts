import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONNECTION_STATES } from '../../src/ingest/connection-state.ts';
import { type ConnectionEnd, SOURCE_FAILURES, type SourceFailure } from '../../src/ingest/live-source.ts';
import {
  decide,
  INITIAL_STATE,
  type SupervisorEffect,
  type SupervisorEvent,
  type SupervisorState,
} from '../../src/ingest/supervisor-machine.ts';

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

/** Any event at all, also such as cannot come in that state. */
const anyEvent: fc.Arbitrary<SupervisorEvent> = fc.oneof(
  fc.constantFrom<SupervisorEvent>(
    { kind: 'START' },
    { kind: 'STOP' },
    { kind: 'OPENED' },
    { kind: 'GAP_FOUND' },
    { kind: 'FLOWING' },
    { kind: 'SILENT' },
    { kind: 'SILENT_TOO_LONG' },
    { kind: 'RETRY_DUE' },
  ),
  fc.record({
    kind: fc.constant('FAILED' as const),
    failure: fc.constantFrom(...SOURCE_FAILURES),
    retryAfterMs: fc.option(fc.nat(100_000)),
  }),
  fc.record({ kind: fc.constant('CLOSED' as const), end: fc.constantFrom(...ENDS) }),
);

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

describe('for every sequence of events', () => {
  it('never has two connections, is never stuck while wanted, and leaves nothing running when it is not', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
        const world = new World();
        let state = INITIAL_STATE;
        let wanted = false;
        for (const event of events) {
          if (!world.possible(event)) continue;
          if (event.kind === 'START') wanted = true;
          if (event.kind === 'STOP') wanted = false;
          // A told-to-stop attempt never reports a joined room: the source's contract.
          if (event.kind === 'OPENED' && state.link === 'CANCELLING') continue;
          world.happens(event);
          const decision = decide(state, event);
          for (const effect of decision.effects) world.performs(effect);
          ({ state } = decision);
          expect(CONNECTION_STATES).toContain(state.connection);
          expect(state.connection === 'STOPPED').toBe(!wanted);
          expect(world.link === 'NONE').toBe(state.link === 'NONE');
          expect(world.gap).toBe(state.gapOpen);
          if (wanted) expect(world.link !== 'NONE' || world.timer).toBe(true);
          else expect(world.timer).toBe(false);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('changes nothing at events that do not fit', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), anyEvent, (events, last) => {
        let state = INITIAL_STATE;
        for (const event of events) ({ state } = decide(state, event));
        const isAboutLink = ['OPENED', 'FAILED', 'CLOSED', 'FLOWING', 'SILENT', 'SILENT_TOO_LONG'].includes(
          last.kind,
        );
        if (state.link !== 'NONE' || !isAboutLink) return;
        expect(decide(state, last)).toEqual({ state, effects: [] });
      }),
      { numRuns: 3_000 },
    );
  });
});
