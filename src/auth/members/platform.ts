import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import { updatePlatformRole, updateUserDisabled } from '../../db/user-standing.ts';
import type { Clock } from '../../lib/clock.ts';
import type { UserId } from '../../lib/ids.ts';
import type { MasterKey } from '../../privacy/master-key.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import type { PlatformRole, Viewer } from '../viewer.ts';
import { EmailUnverifiedError, OwnRoleError } from './errors.ts';
import { endAllSecretsOf, lockAdminsFor, lockKnownUser, requireNotLastAdmin } from './guards.ts';
import type { SecretsEnded } from './owner-secrets.ts';

export interface PlatformDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly masterKey: MasterKey;
  /** Ends what the user is signed in with: sessions, tokens. */
  endSignIns(userId: UserId): Promise<unknown>;
}

/**
 * Gives somebody another role on the installation, and signs them out everywhere: who has other powers signs in anew.
 * For administrators, and never for themselves; so one of them always stays.
 * @throws NotPermittedError, OwnRoleError, UserNotFoundError, LastAdminError, EmailUnverifiedError
 */
export async function setPlatformRole(
  deps: PlatformDeps,
  viewer: Viewer,
  request: { readonly userId: UserId; readonly role: PlatformRole },
): Promise<void> {
  const { userId, role } = request;
  const changed = await deps.db.transaction().execute(async (tx) => {
    const admin = await lockAdminsFor(tx, viewer);
    if (admin.userId === userId) throw new OwnRoleError();
    const user = await lockKnownUser(tx, userId);
    if (user.platformRole === role) return false;
    if (role !== 'USER' && !user.emailVerified) throw new EmailUnverifiedError();
    if (role !== 'ADMIN') await requireNotLastAdmin(tx, userId);
    await updatePlatformRole(tx, { id: userId, platformRole: role });
    return true;
  });
  if (changed) await cutOff(deps, userId);
}

/**
 * Lets somebody in no more (and ends what they are signed in with, and what they opened channels with as their owner), or again.
 * For administrators, and never for themselves; so one of them always stays.
 * @throws NotPermittedError, OwnRoleError, UserNotFoundError, LastAdminError
 */
export async function setUserDisabled(
  deps: PlatformDeps,
  viewer: Viewer,
  request: { readonly userId: UserId; readonly disabled: boolean },
): Promise<readonly SecretsEnded[]> {
  const { userId, disabled } = request;
  const ended = await deps.db.transaction().execute(async (tx) => {
    const admin = await lockAdminsFor(tx, viewer);
    if (admin.userId === userId) throw new OwnRoleError();
    const user = await lockKnownUser(tx, userId);
    if (user.disabled === disabled) return null;
    if (disabled) await requireNotLastAdmin(tx, userId);
    await updateUserDisabled(tx, { id: userId, disabledAt: disabled ? deps.clock.nowMs() : null });
    return disabled ? endAllSecretsOf(deps, tx, userId) : [];
  });
  if (ended === null) return [];
  await cutOff(deps, userId);
  if (ended.length > 0) await notifyAccessChanged(deps.bus, null);
  return ended;
}

async function cutOff(deps: PlatformDeps, userId: UserId): Promise<void> {
  await deps.endSignIns(userId);
  await notifyAccessChanged(deps.bus, userId);
}
