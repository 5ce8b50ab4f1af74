import type { MfaState, PlatformRole } from '../viewer.ts';

/** How long a shown factor opens what is dangerous, in milliseconds. */
export const STEP_UP_MS = 5 * 60_000;

/** Who demands a second factor of whoever has them. */
const DEMANDING_ROLES: ReadonlySet<PlatformRole> = new Set(['ADMIN', 'COMPLIANCE']);

/** Whether somebody with this role must have a second factor. */
export function demandsSecondFactor(role: PlatformRole): boolean {
  return DEMANDING_ROLES.has(role);
}

/** What is known of a sign-in. Times are milliseconds since the Unix epoch. */
export interface SignInFacts {
  readonly platformRole: PlatformRole;
  /** Whether the user has an authenticator app or a passkey. @see hasSecondFactor */
  readonly hasFactor: boolean;
  /** When a factor, or for who has none the password, was last shown in this sign-in. */
  readonly mfaAtMs: number | null;
  /** When they signed in. */
  readonly signedInAtMs: number;
}

/**
 * Whether the second factor is still owed, and until when the sign-in is fresh enough for what is dangerous. Who has a
 * factor owes it once per sign-in; who must have one and has none owes it until it is enrolled. Only a factor makes a
 * sign-in fresh, unless there is none: then signing in itself does, and the password.
 */
export function mfaStateOf(facts: SignInFacts): {
  readonly mfa: MfaState;
  readonly freshUntilMs: number | null;
} {
  const { hasFactor, mfaAtMs, signedInAtMs } = facts;
  if (hasFactor) {
    return mfaAtMs === null
      ? { mfa: 'MISSING', freshUntilMs: null }
      : { mfa: 'DONE', freshUntilMs: mfaAtMs + STEP_UP_MS };
  }
  return {
    mfa: demandsSecondFactor(facts.platformRole) ? 'MISSING' : 'NOT_REQUIRED',
    freshUntilMs: Math.max(signedInAtMs, mfaAtMs ?? signedInAtMs) + STEP_UP_MS,
  };
}
