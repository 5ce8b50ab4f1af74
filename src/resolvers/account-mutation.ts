import { type Account, loadAccounts } from '../auth/accounts/account.ts';
import {
  changePassword,
  confirmEmailChange,
  deleteAccount,
  type Holder,
  requestEmailChange,
} from '../auth/accounts/account-change.ts';
import {
  CookieNeededError,
  EmailTakenError,
  InvalidCredentialsError,
  TokenInvalidError,
} from '../auth/accounts/account-errors.ts';
import { resendVerification, verifyEmail } from '../auth/accounts/email-verification.ts';
import { KNOWN_DEVICE_SECONDS } from '../auth/accounts/known-device.ts';
import { requestPasswordReset, resetPassword } from '../auth/accounts/password-reset.ts';
import { type SignedIn, signIn } from '../auth/accounts/sign-in.ts';
import { signUp } from '../auth/accounts/sign-up.ts';
import { LastAdminError, LastOwnerError } from '../auth/members/errors.ts';
import { WeakPasswordError } from '../auth/passwords/password-errors.ts';
import type { AppContext, Cookies } from '../context.ts';
import { BadArgumentError } from '../errors/bad-argument.ts';
import type { UserError } from '../errors/errors.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { assert } from '../lib/assert.ts';
import { RateLimitedError } from '../limits/errors.ts';
import { orRefusal, type Refused } from './refusal.ts';
import { dropSessionCookie, putSessionCookie } from './session-cookie.ts';
import { userOf } from './sign-in.ts';

/** Nothing to tell but that it was done. */
export interface DonePayload {
  readonly done: true;
}
export interface SignInPayload {
  readonly viewer: Account;
  /** Whether a second factor is still to be shown. */
  readonly factorOwed: boolean;
}
type Input<T> = { readonly input: T };
type Asked<E extends UserError> = Promise<DonePayload | Refused<E>>;

const DONE: DonePayload = { done: true };

export function mutationSignUp(
  _root: unknown,
  {
    input,
  }: Input<{
    readonly email: string;
    readonly password: string;
    readonly displayName?: string | null | undefined;
    readonly setupCode?: string | null | undefined;
  }>,
  ctx: AppContext,
): Asked<InvalidInputError | WeakPasswordError | TokenInvalidError | EmailTakenError | RateLimitedError> {
  return orRefusal<
    DonePayload,
    InvalidInputError | WeakPasswordError | TokenInvalidError | EmailTakenError | RateLimitedError
  >(async () => {
    onceARequest(ctx);
    await signUp(ctx.services, {
      email: input.email,
      password: input.password,
      displayName: input.displayName ?? null,
      setupCode: input.setupCode ?? null,
      address: ctx.requestInfo.address,
    });
    return DONE;
  }, [InvalidInputError, WeakPasswordError, TokenInvalidError, EmailTakenError, RateLimitedError]);
}

export function mutationSignIn(
  _root: unknown,
  { input }: Input<{ readonly email: string; readonly password: string }>,
  ctx: AppContext,
): Promise<SignInPayload | Refused<InvalidCredentialsError | RateLimitedError>> {
  return orRefusal<SignInPayload, InvalidCredentialsError | RateLimitedError>(async () => {
    onceARequest(ctx);
    const cookies = cookiesOf(ctx);
    const { address, userAgent } = ctx.requestInfo;
    const signedIn = await signIn(ctx.services, {
      email: input.email,
      password: input.password,
      address,
      userAgent,
      deviceCookie: cookies.read('__Host-tl_device'),
      sessionCookie: cookies.read('__Host-tl_session'),
    });
    return welcome(ctx, cookies, signedIn);
  }, [InvalidCredentialsError, RateLimitedError]);
}

export function mutationEmailVerify(
  _root: unknown,
  { input }: Input<{ readonly token: string }>,
  ctx: AppContext,
): Asked<TokenInvalidError> {
  return orRefusal<DonePayload, TokenInvalidError>(async () => {
    onceARequest(ctx);
    await verifyEmail(ctx.services, holderOf(ctx).userId, input.token);
    return DONE;
  }, [TokenInvalidError]);
}

export function mutationEmailVerificationResend(
  _root: unknown,
  _args: object,
  ctx: AppContext,
): Promise<DonePayload> {
  const { userId } = holderOf(ctx);
  return resendVerification(ctx.services, userId).then(() => DONE);
}

export function mutationPasswordResetRequest(
  _root: unknown,
  { input }: Input<{ readonly email: string }>,
  ctx: AppContext,
): Asked<RateLimitedError> {
  return orRefusal<DonePayload, RateLimitedError>(async () => {
    onceARequest(ctx);
    const { sent } = await requestPasswordReset(ctx.services, {
      email: input.email,
      address: ctx.requestInfo.address,
    });
    sent.catch((error: unknown) => ctx.services.logger.warn({ err: error }, 'password-reset.failed'));
    return DONE;
  }, [RateLimitedError]);
}

export function mutationPasswordReset(
  _root: unknown,
  { input }: Input<{ readonly token: string; readonly password: string }>,
  ctx: AppContext,
): Asked<TokenInvalidError | InvalidInputError | WeakPasswordError | RateLimitedError> {
  return orRefusal<
    DonePayload,
    TokenInvalidError | InvalidInputError | WeakPasswordError | RateLimitedError
  >(async () => {
    onceARequest(ctx);
    const reset = await resetPassword(ctx.services, { ...input, address: ctx.requestInfo.address });
    ctx.cookies?.set('__Host-tl_device', reset.deviceCookie, KNOWN_DEVICE_SECONDS);
    return DONE;
  }, [TokenInvalidError, InvalidInputError, WeakPasswordError, RateLimitedError]);
}

export function mutationPasswordChange(
  _root: unknown,
  { input }: Input<{ readonly current?: string | null | undefined; readonly password: string }>,
  ctx: AppContext,
): Asked<InvalidCredentialsError | InvalidInputError | WeakPasswordError | RateLimitedError> {
  return orRefusal<
    DonePayload,
    InvalidCredentialsError | InvalidInputError | WeakPasswordError | RateLimitedError
  >(async () => {
    onceARequest(ctx);
    const issued = await changePassword(ctx.services, holderOf(ctx), {
      current: input.current ?? null,
      password: input.password,
    });
    if (issued !== null && ctx.cookies !== null) putSessionCookie(ctx.cookies, ctx, issued);
    return DONE;
  }, [InvalidCredentialsError, InvalidInputError, WeakPasswordError, RateLimitedError]);
}

export function mutationEmailChangeRequest(
  _root: unknown,
  { input }: Input<{ readonly email: string }>,
  ctx: AppContext,
): Asked<InvalidInputError | RateLimitedError> {
  return orRefusal<DonePayload, InvalidInputError | RateLimitedError>(async () => {
    await requestEmailChange(ctx.services, holderOf(ctx).userId, input.email);
    return DONE;
  }, [InvalidInputError, RateLimitedError]);
}

export function mutationEmailChangeConfirm(
  _root: unknown,
  { input }: Input<{ readonly token: string }>,
  ctx: AppContext,
): Asked<TokenInvalidError | EmailTakenError> {
  return orRefusal<DonePayload, TokenInvalidError | EmailTakenError>(async () => {
    await confirmEmailChange(ctx.services, holderOf(ctx).userId, input.token);
    return DONE;
  }, [TokenInvalidError, EmailTakenError]);
}

export function mutationAccountDelete(
  _root: unknown,
  { input }: Input<{ readonly password?: string | null | undefined }>,
  ctx: AppContext,
): Asked<InvalidCredentialsError | RateLimitedError | LastOwnerError | LastAdminError> {
  return orRefusal<
    DonePayload,
    InvalidCredentialsError | RateLimitedError | LastOwnerError | LastAdminError
  >(async () => {
    onceARequest(ctx);
    const secretsEnded = await deleteAccount(ctx.services, holderOf(ctx), {
      password: input.password ?? null,
    });
    dropSessionCookie(ctx);
    return { ...DONE, secretsEnded };
  }, [InvalidCredentialsError, RateLimitedError, LastOwnerError, LastAdminError]);
}

/** Who may show a password or a code does so once in a request: aliases are no way to try many. @throws BadArgumentError */
export function onceARequest(ctx: AppContext): void {
  if (ctx.spent.has('secret')) {
    throw new BadArgumentError('input', 'A password or a code can be shown once in a request.');
  }
  ctx.spent.add('secret');
}

/** The user whose own account it is: the schema lets nobody else here. A token of a program is no sign-in. */
export function holderOf(ctx: AppContext): Holder {
  const { userId, credential } = userOf(ctx);
  if (credential.kind !== 'SESSION') {
    throw new BadArgumentError('input', 'Sign in in a browser to do this: a token is not enough.');
  }
  return { userId, signInId: credential.id, address: ctx.requestInfo.address };
}

/** The cookies of the answer. @throws CookieNeededError by WebSocket */
export function cookiesOf({ cookies }: AppContext): Cookies {
  if (cookies === null) throw new CookieNeededError();
  return cookies;
}

/** Sets the cookies of somebody who has just signed in, and tells who they are. */
export async function welcome(
  ctx: AppContext,
  cookies: Cookies,
  { userId, issued, deviceCookie }: SignedIn,
): Promise<SignInPayload> {
  putSessionCookie(cookies, ctx, issued);
  cookies.set('__Host-tl_device', deviceCookie, KNOWN_DEVICE_SECONDS);
  const [[account], viewer] = await Promise.all([
    loadAccounts(ctx.services, [userId]),
    ctx.services.access.authenticate({ kind: 'COOKIE', token: issued.token }),
  ]);
  assert(account !== undefined, 'who signed in just now has an account');
  return { viewer: account, factorOwed: viewer?.kind === 'USER' && viewer.mfa === 'MISSING' };
}
