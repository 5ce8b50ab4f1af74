/**
 * The handles that the simulator knows and what becomes of who looks for them. Every other handle is unknown, as on
 * TikTok.
 */
export const HANDLE_STATES = {
  live: 'is live',
  offline: 'exists and is not live',
  'age-restricted': 'is live, for signed-in adults only',
  suspended: 'is suspended as soon as somebody enters (control message 4)',
  blocked: 'cannot be looked up: TikTok shows a puzzle instead',
} as const;
export type HandleState = keyof typeof HANDLE_STATES;

/** Handles that are always there, beside those that are live. */
export const FIXED_HANDLES: Readonly<Record<string, HandleState>> = {
  offline: 'offline',
  restricted: 'age-restricted',
  suspended: 'suspended',
  blocked: 'blocked',
};

/** The handle that is live when none is chosen. */
export const DEFAULT_HANDLE = 'simulated';
