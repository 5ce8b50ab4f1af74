import type { UserSession } from '../auth/sessions/session-store.ts';
import { endSignIns } from '../auth/sign-ins.ts';
import { SessionRequiredError, SignInNotFoundError } from '../auth/tokens/token-errors.ts';
import type { SignedInUser } from '../auth/viewer.ts';
import type { AppContext } from '../context.ts';
import { assert } from '../lib/assert.ts';
import { parseId } from '../lib/ids.ts';
import { orRefusal, type Refused } from './refusal.ts';
import { dropSessionCookie } from './session-cookie.ts';

/** Who the schema let in as a user. */
export function userOf({ viewer }: AppContext): SignedInUser {
  assert(viewer.kind === 'USER', 'the scope of the field asks for a user');
  return viewer;
}

/** The same, when they came by a sign-in: a program's tokens are not to see or end the sign-ins of its user. */
function signedInBySession(context: AppContext): SignedInUser {
  const user = userOf(context);
  if (parseId('tokenFamily', user.credential.id) !== undefined) throw new SessionRequiredError();
  return user;
}

export function viewerSessions(
  _root: unknown,
  _args: object,
  context: AppContext,
): Promise<readonly UserSession[]> {
  return context.services.sessions.list(signedInBySession(context).userId);
}

/** Whether it is the sign-in that asks, itself or by a token made from it. */
export function signInIsCurrent(session: UserSession, _args: object, context: AppContext): boolean {
  return userOf(context).credential.id === session.id;
}

export function sessionRevoke(
  _root: unknown,
  { input }: { readonly input: { readonly sessionId: string } },
  context: AppContext,
): Promise<{ readonly sessionId: string } | Refused<SignInNotFoundError>> {
  return orRefusal(async () => {
    const { userId } = userOf(context);
    const id = parseId('signIn', input.sessionId);
    if (id === undefined || !(await context.services.sessions.revoke({ userId, id }))) {
      throw new SignInNotFoundError();
    }
    return { sessionId: id };
  }, [SignInNotFoundError]);
}

export async function sessionRevokeOthers(
  _root: unknown,
  { input }: { readonly input: { readonly withTokens?: boolean | null | undefined } },
  context: AppContext,
): Promise<{ readonly revokedCount: number }> {
  const { userId, credential } = signedInBySession(context);
  const { sessions, tokens } = context.services;
  const except = parseId('signIn', credential.id) ?? null;
  const revokedCount =
    input.withTokens === true
      ? await endSignIns({ sessions, tokens }, userId, { except })
      : await sessions.revokeAll(userId, { except });
  return { revokedCount };
}

/** Ends what the user came with, whatever it is, and takes the cookie away. */
export async function signOut(
  _root: unknown,
  { input }: { readonly input: { readonly everywhere?: boolean | null | undefined } },
  context: AppContext,
): Promise<{ readonly signedOut: boolean }> {
  if (input.everywhere === true) signedInBySession(context);
  const { userId, credential } = userOf(context);
  const { sessions, tokens } = context.services;
  const sessionId = parseId('signIn', credential.id);
  const familyId = parseId('tokenFamily', credential.id);
  const ended =
    sessionId !== undefined
      ? await sessions.revoke({ userId, id: sessionId })
      : familyId !== undefined && (await tokens.revoke({ userId, id: familyId }));
  if (input.everywhere === true) await endSignIns(context.services, userId, { except: null });
  if (credential.kind === 'SESSION') dropSessionCookie(context);
  return { signedOut: ended };
}
