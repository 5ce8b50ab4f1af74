import { describe, expect, it } from 'vitest';
import type { LiveSource, SourceFailure } from '../../../src/ingest/live-source.ts';
import { SourceError } from '../../../src/ingest/live-source.ts';
import {
  type ConnectionReport,
  type SupervisedRoom,
  Supervisor,
} from '../../../src/ingest/supervisor/supervisor.ts';
import { ManualTime } from '../support/manual-time.ts';
import { quietLogger } from '../support/source.ts';

/** A supervisor of a source that always fails in one way, with time in the test's hand. */
function failing(failure: SourceFailure, retryAfterMs?: number) {
  const time = new ManualTime();
  const openedAt: number[] = [];
  const reports: ConnectionReport[] = [];
  const source: LiveSource = {
    provider: 'TIKTOK',
    open: async () => {
      openedAt.push(time.nowMs());
      throw new SourceError(failure, 'as told', retryAfterMs === undefined ? {} : { retryAfterMs });
    },
  };
  const room: SupervisedRoom = {
    beginSession: async () => false,
    accept: () => null,
    endSession: () => {},
    openGap: () => {},
    closeGap: () => {},
    endStream: () => {},
    attemptFailed: () => {},
    report: (report) => reports.push(report),
  };
  const supervisor = new Supervisor(
    { source, room, clock: time, scheduler: time, random: () => 0.5, logger: quietLogger },
    'somebody',
    {
      backoff: { minMs: 1_000, maxMs: 60_000 },
      silence: { stalledMs: 45_000, reconnectMs: 90_000 },
      offlinePollMs: 60_000,
      suspendedPollMs: 600_000,
      blockedPollMs: 600_000,
    },
  );
  /** Lets what was promised happen, then moves time to the next look, `count` times; the pauses between the looks. */
  async function pauses(count: number): Promise<readonly number[]> {
    for (let look = 0; look < count; look += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      time.advance((reports.at(-1)?.retryAt ?? 0) - time.nowMs());
    }
    return openedAt.slice(1).map((at, index) => at - (openedAt[index] ?? 0));
  }
  return { supervisor, reports, pauses, time };
}

describe('the pauses between attempts', () => {
  it.each<[SourceFailure, number | undefined, readonly number[]]>([
    ['NETWORK', undefined, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]],
    ['SIGN_SERVER', undefined, [1_000, 2_000, 4_000]],
    ['RATE_LIMITED', 3_000, [3_000, 3_000, 4_000, 8_000]],
    ['OFFLINE', undefined, [60_000, 60_000, 60_000]],
    ['UNKNOWN_HANDLE', undefined, [600_000, 600_000]],
    ['SUSPENDED', undefined, [600_000, 600_000]],
    ['BLOCKED', undefined, [600_000, 600_000]],
    ['AGE_RESTRICTED', undefined, [600_000, 600_000]],
  ])('after %s (told to wait %s ms) are %j', async (failure, retryAfterMs, expected) => {
    const { supervisor, pauses, time } = failing(failure, retryAfterMs);
    supervisor.start();
    expect(await pauses(expected.length)).toEqual(expected);
    await supervisor.stop();
    expect(time.waiting).toBe(0);
  });
});

describe('what is reported', () => {
  it('says where it stands, why, and when it looks again', async () => {
    const { supervisor, reports, time } = failing('RATE_LIMITED', 9_000);
    const now = time.nowMs();
    supervisor.start();
    await new Promise((resolve) => setImmediate(resolve));
    await supervisor.stop();
    expect(reports).toEqual([
      { state: 'CONNECTING', reason: null, since: now, retryAt: null, attempt: 0 },
      { state: 'RECONNECTING', reason: 'as told', since: now, retryAt: now + 9_000, attempt: 1 },
      { state: 'STOPPED', reason: null, since: now, retryAt: null, attempt: 0 },
    ]);
  });
});
