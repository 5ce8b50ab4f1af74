import { setTimeout as sleep, setImmediate as yieldToLoop } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import type { FrameMessage } from './frame.ts';
import type { Room } from './room.ts';
import type { TimedMessage } from './script-message.ts';

/** Most messages in a frame of a scenario. TikTok's frames of busy rooms have up to about this many. */
const FRAME_MESSAGES_MAX = 20;

/** Shortest sleep, in milliseconds: what falls due within it goes out as one frame. */
const SLEEP_MS_MIN = 5;

/**
 * Plays a script in a room in real time until `signal` aborts or the stream is over. A reader that takes frames slower than they come holds the
 * play back: what is late is sent as soon as it can be, nothing is left out.
 */
export async function direct(
  deps: { readonly clock: Clock },
  play: { readonly room: Room; readonly script: Iterator<TimedMessage>; readonly signal: AbortSignal },
): Promise<void> {
  const { room, script, signal } = play;
  const startedAt = deps.clock.nowMs();
  for (let next = script.next(); !signal.aborted && room.state === 'LIVE' && next.done !== true; ) {
    const elapsedMs = deps.clock.nowMs() - startedAt;
    const frame: FrameMessage[] = [];
    while (next.done !== true && next.value.atMs <= elapsedMs && frame.length < FRAME_MESSAGES_MAX) {
      frame.push(room.scripted(next.value.message));
      next = script.next();
    }
    if (frame.length > 0) {
      await room.sendFrame(frame);
      await yieldToLoop(); // a play that lags behind must not keep the process from everything else
    } else if (next.done !== true) {
      await pause(Math.max(SLEEP_MS_MIN, next.value.atMs - elapsedMs), signal);
    }
  }
}

/** Sleeps; an abort ends the sleep and is no failure. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
