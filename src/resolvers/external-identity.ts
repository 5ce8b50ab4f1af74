import { accountOpenedNote } from '../audit/notes.ts';
import type { Account } from '../auth/accounts/account.ts';
import { exchangeClerkToken } from '../auth/external/clerk/exchange.ts';
import {
  ExternalEmailUnverifiedError,
  ExternalIdentityLimitError,
  ExternalIdentityNotFoundError,
  ExternalIdentityNotLinkedError,
  ExternalIdentityTakenError,
  ExternalProviderUnavailableError,
  ExternalProviderUnknownError,
  ExternalSignInRefusedError,
  LastSignInWayError,
} from '../auth/external/errors.ts';
import {
  type LinkedIdentity,
  linkedIdentities,
  linkIdentity,
  requireVerifiedEmail,
  unlinkIdentity,
} from '../auth/external/link.ts';
import { beginFlow, FLOW_SECONDS } from '../auth/external/oidc/flow.ts';
import { parseReturnPath } from '../auth/external/return-path.ts';
import { signInExternally } from '../auth/external/sign-in.ts';
import { EmailUnverifiedError } from '../auth/members/errors.ts';
import type { AppContext } from '../context.ts';
import type { UserError } from '../errors/errors.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { parseId } from '../lib/ids.ts';
import { RateLimitedError } from '../limits/errors.ts';
import { cookiesOf, holderOf, onceARequest, type SignInPayload, welcome } from './account-mutation.ts';
import { orRefusal, type Refused } from './refusal.ts';

/** A way to sign in besides the password. */
export interface SignInProvider {
  readonly kind: 'CLERK' | 'OIDC';
  readonly name: string;
  readonly title: string;
  readonly opensAccounts: boolean;
  /** Where a browser begins; null: its page begins by itself. */
  readonly startPath: string | null;
  readonly publishableKey: string | null;
}

/** What the account is linked with after a change. */
export interface IdentitiesPayload {
  readonly externalIdentities: readonly LinkedIdentity[];
}

interface Input<T> {
  readonly input: T;
}
type Answer<T, E extends UserError> = Promise<T | Refused<E>>;

const SIGN_IN_REFUSALS = [
  ExternalProviderUnknownError,
  ExternalSignInRefusedError,
  ExternalIdentityNotLinkedError,
  ExternalEmailUnverifiedError,
  ExternalProviderUnavailableError,
  RateLimitedError,
] as const;
type SignInRefusal = InstanceType<(typeof SIGN_IN_REFUSALS)[number]>;

const LINK_REFUSALS = [
  EmailUnverifiedError,
  ExternalProviderUnknownError,
  ExternalSignInRefusedError,
  ExternalIdentityTakenError,
  ExternalIdentityLimitError,
  ExternalProviderUnavailableError,
  RateLimitedError,
] as const;
type LinkRefusal = InstanceType<(typeof LINK_REFUSALS)[number]>;

const START_REFUSALS = [
  EmailUnverifiedError,
  ExternalProviderUnknownError,
  ExternalProviderUnavailableError,
  InvalidInputError,
] as const;
type StartRefusal = InstanceType<(typeof START_REFUSALS)[number]>;

const UNLINK_REFUSALS = [ExternalIdentityNotFoundError, LastSignInWayError] as const;
type UnlinkRefusal = InstanceType<(typeof UNLINK_REFUSALS)[number]>;

export function querySignInProviders(
  _root: unknown,
  _args: object,
  { services }: AppContext,
): readonly SignInProvider[] {
  const { clerk, oidc } = services.externalProviders;
  const byOidc = [...oidc.values()].map(({ name, title, opensAccounts }) => ({
    kind: 'OIDC' as const,
    name,
    title,
    opensAccounts,
    startPath: `/auth/oidc/${name}/start`,
    publishableKey: null,
  }));
  if (clerk === null) return byOidc;
  const { name, title, opensAccounts, publishableKey } = clerk;
  return [...byOidc, { kind: 'CLERK', name, title, opensAccounts, startPath: null, publishableKey }];
}

/** Only of who asks: an administrator has no business with it. */
export function userExternalIdentities(
  account: Account,
  _args: object,
  { viewer, services }: AppContext,
): Promise<readonly LinkedIdentity[]> | null {
  if (viewer.kind !== 'USER' || viewer.userId !== account.id) return null;
  return linkedIdentities(services, account.id);
}

export function clerkSignIn(
  _root: unknown,
  { input }: Input<{ readonly sessionToken: string }>,
  ctx: AppContext,
): Answer<SignInPayload, SignInRefusal> {
  return orRefusal<SignInPayload, SignInRefusal>(async () => {
    onceARequest(ctx);
    const cookies = cookiesOf(ctx);
    const { address, userAgent } = ctx.requestInfo;
    const proven = await exchangeClerkToken(ctx.services, { token: input.sessionToken, address });
    const sessionCookie = cookies.read('__Host-tl_session');
    const signedIn = await signInExternally(ctx.services, { proven, address, userAgent, sessionCookie });
    if (signedIn.created) {
      const { userId } = signedIn;
      await ctx.services.audit.record(accountOpenedNote({ userId, provider: 'clerk' }, ctx.requestId));
    }
    return welcome(ctx, cookies, signedIn);
  }, SIGN_IN_REFUSALS);
}

export function externalIdentityLinkClerk(
  _root: unknown,
  { input }: Input<{ readonly sessionToken: string }>,
  ctx: AppContext,
): Answer<IdentitiesPayload, LinkRefusal> {
  return orRefusal<IdentitiesPayload, LinkRefusal>(async () => {
    onceARequest(ctx);
    const { userId, address } = holderOf(ctx);
    const proven = await exchangeClerkToken(ctx.services, { token: input.sessionToken, address });
    await linkIdentity(ctx.services, { userId, proven });
    return identitiesPayload(ctx);
  }, LINK_REFUSALS);
}

export function externalIdentityLinkStart(
  _root: unknown,
  { input }: Input<{ readonly provider: string; readonly returnTo: string }>,
  ctx: AppContext,
): Answer<{ readonly url: string }, StartRefusal> {
  return orRefusal<{ readonly url: string }, StartRefusal>(async () => {
    const cookies = cookiesOf(ctx);
    const { userId, signInId } = holderOf(ctx);
    const returnTo = parseReturnPath(input.returnTo);
    if (returnTo === undefined) {
      const message = 'returnTo must be the path of a page here.';
      throw new InvalidInputError([{ path: ['returnTo'], code: 'INVALID_FORMAT', message }]);
    }
    await requireVerifiedEmail(ctx.services.db, userId);
    const link = { userId, signInId };
    const { url, cookie } = await beginFlow(ctx.services, {
      provider: input.provider,
      returnTo,
      link,
      replaces: null,
    });
    cookies.set('__Host-tl_oidc', cookie, FLOW_SECONDS);
    return { url: url.href };
  }, START_REFUSALS);
}

export function externalIdentityUnlink(
  _root: unknown,
  { input }: Input<{ readonly externalIdentityId: string }>,
  ctx: AppContext,
): Answer<IdentitiesPayload, UnlinkRefusal> {
  return orRefusal<IdentitiesPayload, UnlinkRefusal>(async () => {
    const { userId, signInId } = holderOf(ctx);
    const id = parseId('externalIdentity', input.externalIdentityId);
    if (id === undefined) throw new ExternalIdentityNotFoundError();
    await unlinkIdentity(ctx.services, { userId, id, asking: signInId });
    return identitiesPayload(ctx);
  }, UNLINK_REFUSALS);
}

async function identitiesPayload(ctx: AppContext): Promise<IdentitiesPayload> {
  return { externalIdentities: await linkedIdentities(ctx.services, holderOf(ctx).userId) };
}
