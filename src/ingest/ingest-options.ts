import { BACKOFF } from '../lib/backoff.ts';
import { SILENCE_LIMITS } from './supervisor/silence-watchdog.ts';
import type { SupervisorOptions } from './supervisor/supervisor.ts';

/** All times in milliseconds. */
export interface IngestOptions {
  /** First and longest pause between attempts to connect: 1 s and 60 s. */
  readonly backoffMinMs?: number;
  readonly backoffMaxMs?: number;
  /** Silence after which a connection counts as stalled (45 s), and after which it is opened anew (twice that). */
  readonly silenceMs?: number;
  readonly silenceReconnectMs?: number;
  /** Pauses between looks at a channel that is offline or ended (60 s), suspended or blocked (10 min). */
  readonly offlinePollMs?: number;
  readonly suspendedPollMs?: number;
  readonly blockedPollMs?: number;
  /** How long after a worker's death another has its rooms, at most: 10 s. */
  readonly leaseMs?: number;
  /** How often the list of wanted channels is read even when nobody told of a change: 5 s at most. */
  readonly pollMs?: number;
  /** Rooms that this worker takes at most. */
  readonly roomsMax?: number;
  /** Adds stacks to ERROR events. */
  readonly development?: boolean;
}

const OFFLINE_POLL_MS = 60_000;
const RARE_POLL_MS = 10 * 60_000;

/** What the supervisor of each room goes by. */
export function supervisorOptions(options: IngestOptions): SupervisorOptions {
  const stalledMs = options.silenceMs ?? SILENCE_LIMITS.stalledMs;
  return {
    backoff: {
      minMs: options.backoffMinMs ?? BACKOFF.minMs,
      maxMs: options.backoffMaxMs ?? BACKOFF.maxMs,
    },
    silence: { stalledMs, reconnectMs: options.silenceReconnectMs ?? stalledMs * 2 },
    offlinePollMs: options.offlinePollMs ?? OFFLINE_POLL_MS,
    suspendedPollMs: options.suspendedPollMs ?? RARE_POLL_MS,
    blockedPollMs: options.blockedPollMs ?? RARE_POLL_MS,
  };
}
