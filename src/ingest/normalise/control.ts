import type { EventBody } from './body.ts';
import { codeOf, type JsonRecord } from './reading.ts';

/** tiktok-live-proto: ControlAction. 1 and 2 (paused, resumed) have no event type and stay RAW. */
const STREAM_ENDED = 3;
const STREAM_SUSPENDED = 4;

/** WebcastControlMessage */
export function streamEndBody(data: JsonRecord): EventBody | null {
  const action = codeOf(data.action);
  if (action === STREAM_ENDED) return { type: 'STREAM_END', user: null, payload: { reason: 'ENDED' } };
  if (action === STREAM_SUSPENDED)
    return { type: 'STREAM_END', user: null, payload: { reason: 'SUSPENDED' } };
  return null;
}
