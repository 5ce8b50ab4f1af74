import { selectPasskeys } from '../../db/passkey.ts';
import { countFactors, hasSecondFactor, selectFactorUser } from '../../db/second-factor.ts';
import { selectTotp, takeTotpStep } from '../../db/totp-factor.ts';
import type { UserId } from '../../lib/ids.ts';
import { sealContext } from '../../privacy/context.ts';
import { open } from '../../privacy/envelope.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import type { IssuedSession } from '../sessions/session-store.ts';
import { attemptFactor } from './attempts.ts';
import { type FactorOwner, type MfaDeps, partyOf, userKey } from './enrolment.ts';
import { FactorRefusedError } from './factor-errors.ts';
import { checkAssertion, type PasskeyAssertion, passkeyRequestOptions } from './passkeys.ts';
import { spendRecoveryCode } from './recovery-codes.ts';
import { relyingPartyOf } from './relying-party.ts';
import { matchTotp } from './totp.ts';

/** What a user shows to prove that it is them. */
export type FactorProof =
  | { readonly kind: 'CODE'; readonly code: string }
  | { readonly kind: 'RECOVERY_CODE'; readonly code: string }
  | { readonly kind: 'PASSKEY'; readonly assertion: PasskeyAssertion }
  | { readonly kind: 'PASSWORD'; readonly password: string };

/** The ways in which a user can prove that it is them. */
export const FACTOR_KINDS = ['CODE', 'RECOVERY_CODE', 'PASSKEY', 'PASSWORD'] as const;
export type FactorKind = (typeof FACTOR_KINDS)[number];

export interface VerificationDeps extends MfaDeps {
  readonly passwords: {
    /** Whether the password is the one behind the stored hash. */
    verify(stored: string | null, password: string): Promise<'RIGHT' | 'OUTDATED' | 'WRONG'>;
  };
}

/** What may be shown now. */
export interface FactorChallenge {
  readonly kinds: readonly FactorKind[];
  /** Options for `navigator.credentials.get`, as JSON; null when the user has no passkey, or they cannot be used here. */
  readonly passkeyOptions: string | null;
}

/** What the user may show, with a challenge for their passkeys. Only who has no factor may show the password. */
export async function beginChallenge(deps: VerificationDeps, owner: FactorOwner): Promise<FactorChallenge> {
  const { userId } = owner;
  const [counts, existing, user] = await Promise.all([
    countFactors(deps.db, userId),
    selectPasskeys(deps.db, userId),
    selectFactorUser(deps.db, userId),
  ]);
  const party = relyingPartyOf(deps.publicUrl);
  const withPasskey = existing.length > 0 && party !== null;
  const none = counts.totp + counts.passkeys === 0;
  const possible: Readonly<Record<FactorKind, boolean>> = {
    CODE: counts.totp > 0,
    RECOVERY_CODE: !none && counts.recoveryCodes > 0,
    PASSKEY: withPasskey,
    PASSWORD: none && user !== undefined && user.passwordHash !== null,
  };
  return {
    kinds: FACTOR_KINDS.filter((kind) => possible[kind]),
    passkeyOptions: withPasskey ? await passkeyRequestOptions(deps, { ...owner, party, existing }) : null,
  };
}

/**
 * Takes a proof: a sign-in that owes its second factor is complete with it, and any sign-in may do what is dangerous for five
 * minutes. It goes on under another token.
 * @throws FactorRefusedError
 * @throws TooManyFactorAttemptsError
 */
export async function verifyFactor(
  deps: VerificationDeps,
  owner: FactorOwner,
  proof: FactorProof,
): Promise<IssuedSession> {
  await attemptFactor(deps, owner.userId, () => isProof(deps, owner, proof));
  const issued = await deps.sessions.rotate(owner.signInId, { mfaAt: deps.clock.nowMs() });
  if (issued === null) throw new FactorRefusedError(); // the sign-in ended meanwhile
  await notifyAccessChanged(deps.bus, owner.userId);
  return issued;
}

async function isProof(deps: VerificationDeps, owner: FactorOwner, proof: FactorProof): Promise<boolean> {
  const { userId } = owner;
  switch (proof.kind) {
    case 'CODE':
      return isCode(deps, userId, proof.code);
    case 'RECOVERY_CODE':
      return spendRecoveryCode(deps.db, { userId, code: proof.code });
    case 'PASSKEY':
      return checkAssertion(deps, { ...owner, party: partyOf(deps) }, proof.assertion);
    case 'PASSWORD':
      return isPassword(deps, userId, proof.password);
  }
}

/** A code is good for one use: whoever takes its time step first has used it. */
async function isCode(deps: MfaDeps, userId: UserId, code: string): Promise<boolean> {
  const factor = await selectTotp(deps.db, userId);
  if (factor === undefined || factor.confirmedAt === null) return false;
  const secret = open(await userKey(deps, userId), sealContext.totpSecret(userId), factor.secret);
  const step = matchTotp(secret, { code, nowMs: deps.clock.nowMs() });
  return step !== null && (await takeTotpStep(deps.db, { userId, secret: factor.secret, step }));
}

/** The password proves nothing new about who has a factor. */
async function isPassword(deps: VerificationDeps, userId: UserId, password: string): Promise<boolean> {
  if (await hasSecondFactor(deps.db, userId)) return false;
  const user = await selectFactorUser(deps.db, userId);
  if (user === undefined || user.passwordHash === null) return false;
  return (await deps.passwords.verify(user.passwordHash, password)) !== 'WRONG';
}
