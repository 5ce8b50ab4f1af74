import {
  beginPasskey,
  beginTotp,
  type Enrolled,
  type FactorOwner,
  finishPasskey,
  finishTotp,
} from '../auth/mfa/enrolment.ts';
import {
  BrowserNeededError,
  FactorNotFoundError,
  FactorRefusedError,
  LastFactorError,
  PasskeyLimitError,
  PasskeysUnavailableError,
  TooManyFactorAttemptsError,
  TotpAlreadyEnrolledError,
} from '../auth/mfa/factor-errors.ts';
import {
  factorsOf,
  regenerateRecoveryCodes,
  removePasskey,
  removeTotp,
  renamePasskey,
  type SecondFactors,
} from '../auth/mfa/factors.ts';
import { STEP_UP_MS } from '../auth/mfa/mfa-state.ts';
import type { PasskeyAssertion, PasskeyAttestation } from '../auth/mfa/passkeys.ts';
import {
  beginChallenge,
  type FactorChallenge,
  type FactorProof,
  verifyFactor,
} from '../auth/mfa/verification.ts';
import type { IssuedSession, UserSession } from '../auth/sessions/session-store.ts';
import type { AppContext } from '../context.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { assert } from '../lib/assert.ts';
import { type Id, parseId, type UserId } from '../lib/ids.ts';
import { NAME_CHARACTERS_MAX, parsedName } from '../lib/name.ts';
import { orRefusal, type RefusalClass, type Refused } from './refusal.ts';
import { putSessionCookie } from './session-cookie.ts';
import { userOf } from './sign-in.ts';

type FactorError =
  | BrowserNeededError
  | FactorNotFoundError
  | FactorRefusedError
  | InvalidInputError
  | LastFactorError
  | PasskeyLimitError
  | PasskeysUnavailableError
  | TooManyFactorAttemptsError
  | TotpAlreadyEnrolledError;
/** Every mutation of factors may refuse for one of these reasons. */
const REFUSALS: readonly RefusalClass<FactorError>[] = [
  BrowserNeededError,
  FactorNotFoundError,
  FactorRefusedError,
  InvalidInputError,
  LastFactorError,
  PasskeyLimitError,
  PasskeysUnavailableError,
  TooManyFactorAttemptsError,
  TotpAlreadyEnrolledError,
];
type FactorRefusal = Refused<FactorError>;
type Answer<T> = Promise<T | FactorRefusal>;

/** A factor was added, as the schema shows it. */
export interface EnrolledPayload {
  readonly factors: SecondFactors;
  readonly recoveryCodes: readonly string[] | null;
}

/** What `mfaVerify` is given; exactly one. */
export interface ProofInput {
  readonly code?: string | null;
  readonly recoveryCode?: string | null;
  readonly passkey?: PasskeyAssertion | null;
  readonly password?: string | null;
}

export function querySecondFactors(
  _root: unknown,
  _args: object,
  { viewer, services }: AppContext,
): Promise<SecondFactors> | null {
  return viewer.kind === 'USER' ? factorsOf(services, viewer.userId) : null;
}

export function totpBegin(
  _root: unknown,
  _args: object,
  ctx: AppContext,
): Answer<{ readonly secret: string; readonly uri: string }> {
  return orRefusal(() => beginTotp(ctx.services, ownerOf(ctx).userId), REFUSALS);
}

export function totpConfirm(
  _root: unknown,
  { input }: { readonly input: { readonly code: string } },
  ctx: AppContext,
): Answer<EnrolledPayload> {
  return orRefusal(
    async () => enrolled(ctx, await finishTotp(ctx.services, ownerOf(ctx), input.code)),
    REFUSALS,
  );
}

export function totpRemove(
  _root: unknown,
  _args: object,
  ctx: AppContext,
): Answer<{ readonly factors: SecondFactors }> {
  return changed(ctx, (userId) => removeTotp(ctx.services, userId));
}

export function recoveryCodesRegenerate(
  _root: unknown,
  _args: object,
  ctx: AppContext,
): Answer<{ readonly recoveryCodes: readonly string[] }> {
  return orRefusal(
    async () => ({ recoveryCodes: await regenerateRecoveryCodes(ctx.services, userOf(ctx).userId) }),
    REFUSALS,
  );
}

export function passkeyRegisterBegin(
  _root: unknown,
  _args: object,
  ctx: AppContext,
): Answer<{ readonly optionsJson: string }> {
  return orRefusal(async () => ({ optionsJson: await beginPasskey(ctx.services, ownerOf(ctx)) }), REFUSALS);
}

export function passkeyRegisterConfirm(
  _root: unknown,
  { input }: { readonly input: { readonly name: string; readonly attestation: PasskeyAttestation } },
  ctx: AppContext,
): Answer<EnrolledPayload> {
  return orRefusal(async () => {
    const request = { name: nameOf(input.name), attestation: input.attestation };
    return enrolled(ctx, await finishPasskey(ctx.services, ownerOf(ctx), request));
  }, REFUSALS);
}

export function passkeyRename(
  _root: unknown,
  { input }: { readonly input: { readonly passkeyId: string; readonly name: string } },
  ctx: AppContext,
): Answer<{ readonly factors: SecondFactors }> {
  return changed(ctx, (userId) =>
    renamePasskey(ctx.services, { userId, id: passkeyIdOf(input.passkeyId), name: nameOf(input.name) }),
  );
}

export function passkeyRemove(
  _root: unknown,
  { input }: { readonly input: { readonly passkeyId: string } },
  ctx: AppContext,
): Answer<{ readonly factors: SecondFactors }> {
  return changed(ctx, (userId) => removePasskey(ctx.services, { userId, id: passkeyIdOf(input.passkeyId) }));
}

export function mfaChallengeBegin(_root: unknown, _args: object, ctx: AppContext): Answer<FactorChallenge> {
  return orRefusal(() => beginChallenge(ctx.services, ownerOf(ctx)), REFUSALS);
}

export function mfaVerify(
  _root: unknown,
  { input }: { readonly input: ProofInput },
  ctx: AppContext,
): Answer<{ readonly freshUntil: number }> {
  return orRefusal(async () => {
    const session = setSession(ctx, await verifyFactor(ctx.services, ownerOf(ctx), proofOf(input)));
    return { freshUntil: (session.mfaAt ?? 0) + STEP_UP_MS };
  }, REFUSALS);
}

async function enrolled(ctx: AppContext, { issued, recoveryCodes }: Enrolled): Promise<EnrolledPayload> {
  const { userId } = setSession(ctx, issued);
  return { factors: await factorsOf(ctx.services, userId), recoveryCodes };
}

function changed(
  ctx: AppContext,
  change: (userId: UserId) => Promise<void>,
): Answer<{ readonly factors: SecondFactors }> {
  return orRefusal(async () => {
    const { userId } = userOf(ctx);
    await change(userId);
    return { factors: await factorsOf(ctx.services, userId) };
  }, REFUSALS);
}

function setSession(ctx: AppContext, issued: IssuedSession): UserSession {
  const { cookies } = ctx;
  assert(cookies !== null, 'ownerOf has refused who has no cookies');
  putSessionCookie(cookies, ctx, issued);
  return issued.session;
}

/** The sign-in that goes on under a new cookie. */
function ownerOf(ctx: AppContext): FactorOwner {
  const { userId, credential } = userOf(ctx);
  if (credential.kind !== 'SESSION' || ctx.cookies === null) throw new BrowserNeededError();
  return { userId, signInId: credential.id };
}

/** GraphQL has seen to it that exactly one is given. */
function proofOf(input: ProofInput): FactorProof {
  if (input.code != null) return { kind: 'CODE', code: input.code };
  if (input.recoveryCode != null) return { kind: 'RECOVERY_CODE', code: input.recoveryCode };
  if (input.passkey != null) return { kind: 'PASSKEY', assertion: input.passkey };
  return { kind: 'PASSWORD', password: input.password ?? '' };
}

function passkeyIdOf(text: string): Id<'passkey'> {
  const id = parseId('passkey', text);
  if (id === undefined) throw new FactorNotFoundError();
  return id;
}

function nameOf(text: string): string {
  const name = parsedName(text);
  if (name !== null) return name;
  const message = `name must have 1 to ${NAME_CHARACTERS_MAX} readable characters on one line.`;
  throw new InvalidInputError([{ path: ['name'], code: 'OUT_OF_RANGE', message }]);
}
