import { MESSAGES_BURST_MAX, MESSAGES_PER_SECOND_MAX } from './limits.ts';

/** Counts the messages of one socket: false once they come faster than they may. */
export function createMessageRate(nowMs: () => number = () => performance.now()): () => boolean {
  let level = MESSAGES_BURST_MAX;
  let at = nowMs();
  return () => {
    const now = nowMs();
    level = Math.min(MESSAGES_BURST_MAX, level + ((now - at) / 1_000) * MESSAGES_PER_SECOND_MAX);
    at = now;
    if (level < 1) return false;
    level -= 1;
    return true;
  };
}
