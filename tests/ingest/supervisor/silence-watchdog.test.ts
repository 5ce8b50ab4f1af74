import { describe, expect, it } from 'vitest';
import { SILENCE_LIMITS, SilenceWatchdog } from '../../../src/ingest/supervisor/silence-watchdog.ts';
import { ManualTime } from '../support/manual-time.ts';

function watched() {
  const time = new ManualTime();
  const told: string[] = [];
  const watchdog = new SilenceWatchdog({ clock: time, scheduler: time }, SILENCE_LIMITS, {
    onStalled: () => told.push('stalled'),
    onTooLong: () => told.push('too long'),
  });
  return { time, told, watchdog };
}

describe('the silence watchdog', () => {
  it('tells of 45 s of silence, then of 90 s, each once', () => {
    const { time, told } = watched();
    time.advance(44_999);
    expect(told).toEqual([]);
    time.advance(1);
    expect(told).toEqual(['stalled']);
    time.advance(44_999);
    expect(told).toEqual(['stalled']);
    time.advance(600_000);
    expect(told).toEqual(['stalled', 'too long']);
    expect(time.waiting).toBe(0);
  });

  it('says nothing while something is heard every 44 s', () => {
    const { time, told, watchdog } = watched();
    for (let round = 0; round < 100; round += 1) {
      time.advance(44_000);
      watchdog.fed();
    }
    expect(told).toEqual([]);
  });

  it('tells again of a silence after messages came back', () => {
    const { time, told, watchdog } = watched();
    time.advance(50_000);
    watchdog.fed();
    time.advance(50_000);
    expect(told).toEqual(['stalled', 'stalled']);
  });

  it('counts no silence while we ourselves do not read', () => {
    const { time, told, watchdog } = watched();
    watchdog.hold();
    time.advance(600_000);
    expect(told).toEqual([]);
    watchdog.release();
    time.advance(44_999);
    expect(told).toEqual([]);
    time.advance(1);
    expect(told).toEqual(['stalled']);
  });

  it('leaves no timer behind', () => {
    const { time, watchdog } = watched();
    watchdog.stop();
    expect(time.waiting).toBe(0);
  });
});
