/** A refusal is never taken to last longer than this, whatever a server says, in milliseconds. */
export const RETRY_AFTER_MS_MAX = 60 * 60 * 1000;

/**
 * How long to wait after a 429, in milliseconds: `Retry-After` as seconds or as a date (RFC 9110, 10.2.3), else the Unix
 * time of `X-RateLimit-Reset` (the sign server's own). Null when neither says anything sensible.
 */
export function retryAfterMs(
  headers: { readonly retryAfter: string | null; readonly reset: string | null },
  nowMs: number,
): number | null {
  const told = fromRetryAfter(headers.retryAfter, nowMs) ?? fromReset(headers.reset, nowMs);
  if (told === null) return null;
  return Math.min(Math.max(told, 0), RETRY_AFTER_MS_MAX);
}

function fromRetryAfter(text: string | null, nowMs: number): number | null {
  if (text === null || text.trim() === '') return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.ceil(seconds * 1000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : date - nowMs;
}

function fromReset(text: string | null, nowMs: number): number | null {
  if (text === null || !/^\d{9,12}$/.test(text.trim())) return null;
  return Number(text) * 1000 - nowMs;
}
