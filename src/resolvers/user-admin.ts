import {
  EmailUnverifiedError,
  LastAdminError,
  OwnRoleError,
  UserNotFoundError,
} from '../auth/members/errors.ts';
import { findUserAccount, type UserAccount } from '../auth/members/lists.ts';
import type { SecretsEnded } from '../auth/members/owner-secrets.ts';
import { type PlatformDeps, setPlatformRole, setUserDisabled } from '../auth/members/platform.ts';
import { endSignIns } from '../auth/sign-ins.ts';
import type { PlatformRole } from '../auth/viewer.ts';
import type { AppContext } from '../context.ts';
import { NotPermittedError } from '../errors/not-permitted.ts';
import { parseId, type UserId } from '../lib/ids.ts';
import { orRefusal, type Refused } from './refusal.ts';

interface UserPayload {
  readonly user: UserAccount;
  /** For the audit log. */
  readonly secretsEnded: readonly SecretsEnded[];
}
interface UserInput {
  readonly input: { readonly userId: string };
}

const REFUSALS = [
  NotPermittedError,
  OwnRoleError,
  UserNotFoundError,
  LastAdminError,
  EmailUnverifiedError,
] as const;
type AdminRefusal = InstanceType<(typeof REFUSALS)[number]>;

export function userRoleSet(
  _root: unknown,
  { input }: { readonly input: { readonly userId: string; readonly role: PlatformRole } },
  { viewer, services }: AppContext,
): Promise<UserPayload | Refused<AdminRefusal>> {
  return changed(input.userId, services, async (deps, userId) => {
    await setPlatformRole(deps, viewer, { userId, role: input.role });
    return [];
  });
}

export function userDisable(
  _root: unknown,
  { input }: UserInput,
  { viewer, services }: AppContext,
): Promise<UserPayload | Refused<AdminRefusal>> {
  return changed(input.userId, services, (deps, userId) =>
    setUserDisabled(deps, viewer, { userId, disabled: true }),
  );
}

export function userEnable(
  _root: unknown,
  { input }: UserInput,
  { viewer, services }: AppContext,
): Promise<UserPayload | Refused<AdminRefusal>> {
  return changed(input.userId, services, (deps, userId) =>
    setUserDisabled(deps, viewer, { userId, disabled: false }),
  );
}

function changed(
  text: string,
  services: AppContext['services'],
  change: (deps: PlatformDeps, userId: UserId) => Promise<readonly SecretsEnded[]>,
): Promise<UserPayload | Refused<AdminRefusal>> {
  return orRefusal<UserPayload, AdminRefusal>(async () => {
    const userId = parseId('user', text);
    if (userId === undefined) throw new UserNotFoundError();
    const endAll = (id: UserId) => endSignIns(services, id, { except: null });
    const secretsEnded = await change({ ...services, endSignIns: endAll }, userId);
    return { user: await findUserAccount(services, userId), secretsEnded };
  }, REFUSALS);
}
