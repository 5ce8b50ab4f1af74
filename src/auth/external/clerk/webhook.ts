import { z } from 'zod';
import { selectExternalIdentity } from '../../../db/external-identity.ts';
import { rememberOnce, rememberUntil } from '../../../db/external-memory.ts';
import { deleteSessionsOfExternalSession, deleteSessionsOfIdentity } from '../../../db/user-session.ts';
import type { Id, UserId } from '../../../lib/ids.ts';
import { sha256 } from '../../../lib/sha256.ts';
import { notifyAccessChanged } from '../../access-topic.ts';
import type { ExternalDeps } from '../deps.ts';
import { externalSessionHash, subjectHash } from '../keyed-hash.ts';
import { dropIdentity } from '../link.ts';
import { type ClerkEvent, TOKEN_AGE_MAX_MS } from './provider.ts';

/** Clerk sends a webhook again for some days when it is not answered, each time freshly signed under the same id. */
const EVENT_MS = 7 * 86_400_000;
/** For so long tokens may still be taken that were given out before something ended, with as much again to spare. */
const ENDED_MS = 2 * TOKEN_AGE_MAX_MS;

/** What a webhook changed here. */
export interface ClerkChange {
  readonly action: 'clerkUserDeleted' | 'clerkUserLocked' | 'clerkSessionEnded';
  readonly userId: UserId;
  readonly identityId: Id<'externalIdentity'> | null;
}

const NAMED = z.object({ id: z.string().min(1) });
const USER = NAMED.extend({ banned: z.boolean().optional(), locked: z.boolean().optional() });

/**
 * Acts on a webhook, once for each id; several that come at once are one. Resolves to what changed, by user. Nothing did when it came
 * before, or is about something that does not concern us.
 */
export async function actOnClerkEvent(
  deps: ExternalDeps,
  event: ClerkEvent,
): Promise<readonly ClerkChange[]> {
  const { clerk } = deps.externalProviders;
  const ending = clerk === null ? null : endingOf(event);
  if (clerk === null || ending === null) return [];
  const { issuer } = clerk;
  const nowMs = deps.clock.nowMs();
  const keyHash =
    ending.kind === 'SESSION'
      ? externalSessionHash(deps.masterKey, { issuer, sessionId: ending.id })
      : subjectHash(deps.masterKey, { issuer, subject: ending.id });
  // First, and for itself: a token that is being exchanged makes its session and then looks here, or made it before what follows.
  await rememberUntil(deps.db, { kind: 'CLERK_ENDED', keyHash, expiresAtMs: nowMs + ENDED_MS });
  const changes = await deps.db.transaction().execute(async (tx): Promise<readonly ClerkChange[]> => {
    const once = { kind: 'CLERK_EVENT', keyHash: sha256(event.id), expiresAtMs: nowMs + EVENT_MS } as const;
    if (!(await rememberOnce(tx, once))) return [];
    switch (ending.kind) {
      case 'SESSION': {
        // Of several when the identity was unlinked from one account and linked with another meanwhile.
        const userIds = new Set(await deleteSessionsOfExternalSession(tx, keyHash));
        return [...userIds].map((userId) => ({ action: 'clerkSessionEnded', userId, identityId: null }));
      }
      case 'USER_LOCKED': {
        const identity = await selectExternalIdentity(tx, { issuer, subjectHash: keyHash });
        if (identity === undefined) return [];
        const { userId, id: identityId } = identity;
        const ended = await deleteSessionsOfIdentity(tx, { identityId, except: null });
        return ended === 0 ? [] : [{ action: 'clerkUserLocked', userId, identityId }];
      }
      case 'USER_DELETED': {
        const dropped = await dropIdentity(deps, tx, { issuer, subject: ending.id });
        if (dropped === null) return [];
        return [{ action: 'clerkUserDeleted', userId: dropped.userId, identityId: dropped.id }];
      }
    }
  });
  for (const { userId } of changes) await notifyAccessChanged(deps.bus, userId);
  return changes;
}

interface Ending {
  readonly kind: 'SESSION' | 'USER_LOCKED' | 'USER_DELETED';
  readonly id: string;
}

/** What has ended by it; null: nothing that concerns us. */
function endingOf({ type, data }: ClerkEvent): Ending | null {
  switch (type) {
    case 'session.ended':
    case 'session.removed':
    case 'session.revoked':
      return named('SESSION', NAMED.safeParse(data).data);
    case 'user.deleted':
      return named('USER_DELETED', NAMED.safeParse(data).data);
    case 'user.updated': {
      const user = USER.safeParse(data).data;
      return user?.banned === true || user?.locked === true ? named('USER_LOCKED', user) : null;
    }
    default:
      return null;
  }
}

function named(kind: Ending['kind'], found: { readonly id: string } | undefined): Ending | null {
  return found === undefined ? null : { kind, id: found.id };
}
