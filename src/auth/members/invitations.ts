import { randomBytes } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import {
  type ChannelMemberRow,
  lockChannel,
  selectChannelMember,
  upsertChannelMember,
} from '../../db/channel-member.ts';
import type { Database } from '../../db/connect.ts';
import {
  acceptOpenInvitation,
  clearExpiredAddresses,
  countOpenInvitations,
  type InvitationId,
  type InvitationRow,
  type InvitedRole,
  insertInvitation,
  revokeOpenInvitation,
  type SealedAddress,
  selectInvitation,
  selectInvitationByToken,
} from '../../db/invitation.ts';
import { deleteSubjectKeys } from '../../db/subject-key.ts';
import { isActiveUser } from '../../db/user-standing.ts';
import { NotPermittedError } from '../../errors/not-permitted.ts';
import type { Clock } from '../../lib/clock.ts';
import { type ChannelId, newId } from '../../lib/ids.ts';
import { sha256 } from '../../lib/sha256.ts';
import { sealContext } from '../../privacy/context.ts';
import { seal } from '../../privacy/envelope.ts';
import { madeKey, type Vault } from '../../privacy/vault.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { mayInChannel } from '../permissions.ts';
import type { Viewer } from '../viewer.ts';
import {
  EmailUnverifiedError,
  InvitationInvalidError,
  InvitationNotFoundError,
  TooManyInvitationsError,
} from './errors.ts';
import { lockChannelFor, lockKnownUser } from './guards.ts';
import { isAbove } from './team.ts';

/** How many invitations of a channel may be open at once: each may be a mail to somebody. */
export const INVITATIONS_OPEN_MAX = 50;
/** Addresses of expired invitations forgotten per new one. */
const EXPIRED_PER_CREATION_MAX = 100;
const HOUR_MS = 60 * 60 * 1000;
const TOKEN_PATTERN = /^tli_[A-Za-z0-9_-]{43}$/;

export interface InvitationDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly vault: Vault;
}

/** What leaves by mail, or is shown once: it is kept nowhere. */
export interface IssuedInvitation {
  readonly invitation: InvitationRow;
  readonly token: string;
}

/** Whom to invite, as what, for how long. */
export interface InvitationRequest {
  readonly channelId: ChannelId;
  readonly role: InvitedRole;
  /** Null: a link for whoever has it. The hash is the one accounts are found by. */
  readonly address: { readonly email: string; readonly hash: Buffer } | null;
  readonly hours: number;
}

/**
 * Invites somebody into a channel's team. `deliver` runs in the same transaction, to put the mail that carries the token
 * into the outbox.
 * @throws ChannelNotFoundError, NotPermittedError, TooManyInvitationsError
 */
export async function createInvitation(
  deps: InvitationDeps,
  viewer: Viewer,
  request: InvitationRequest,
  deliver: (tx: Transaction<Database>, issued: IssuedInvitation) => Promise<void> = async () => {},
): Promise<IssuedInvitation> {
  const nowMs = deps.clock.nowMs();
  const { channelId, role, address } = request;
  const id = newId('invitation', nowMs);
  const token = `tli_${randomBytes(32).toString('base64url')}`;
  return await deps.db.transaction().execute(async (tx) => {
    await lockChannelFor(tx, viewer, { channelId, permission: 'MEMBERS_MANAGE' });
    await deleteSubjectKeys(tx, await clearExpiredAddresses(tx, { nowMs, limit: EXPIRED_PER_CREATION_MAX }));
    if ((await countOpenInvitations(tx, { channelId, nowMs })) >= INVITATIONS_OPEN_MAX) {
      throw new TooManyInvitationsError(INVITATIONS_OPEN_MAX);
    }
    const invitation: InvitationRow = {
      id,
      channelId,
      role,
      addressed: address !== null,
      address: address === null ? null : await sealedAddress(deps.vault, tx, id, address),
      invitedBy: viewer.kind === 'USER' ? viewer.userId : null,
      createdAt: nowMs,
      expiresAt: nowMs + request.hours * HOUR_MS,
      acceptedAt: null,
      revokedAt: null,
    };
    await insertInvitation(tx, invitation, sha256(token));
    await deliver(tx, { invitation, token });
    return { invitation, token };
  });
}

/**
 * Takes an invitation back.
 * @throws InvitationNotFoundError, also for one that may not be seen or is not open; NotPermittedError
 */
export async function revokeInvitation(
  deps: InvitationDeps,
  viewer: Viewer,
  id: InvitationId,
): Promise<InvitationRow> {
  const nowMs = deps.clock.nowMs();
  return await deps.db.transaction().execute(async (tx) => {
    const invitation = await selectInvitation(tx, id);
    if (invitation === undefined || !mayInChannel(viewer, invitation.channelId, 'MEMBERS_VIEW')) {
      throw new InvitationNotFoundError();
    }
    await lockChannelFor(tx, viewer, { channelId: invitation.channelId, permission: 'MEMBERS_MANAGE' });
    if (!(await revokeOpenInvitation(tx, { id, nowMs }))) throw new InvitationNotFoundError();
    await deleteSubjectKeys(tx, [id]);
    return { ...invitation, address: null, revokedAt: nowMs };
  });
}

/**
 * Accepts an invitation, once and for who asks. Who has that role already, or a higher one, keeps it, and the invitation
 * stays open for whom it was meant.
 * @throws NotPermittedError for who is no user, EmailUnverifiedError, InvitationInvalidError
 */
export async function acceptInvitation(
  deps: InvitationDeps,
  viewer: Viewer,
  token: string,
): Promise<ChannelMemberRow> {
  if (viewer.kind !== 'USER') throw new NotPermittedError();
  const { userId } = viewer;
  const nowMs = deps.clock.nowMs();
  if (!TOKEN_PATTERN.test(token)) throw new InvitationInvalidError();
  const member = await deps.db.transaction().execute(async (tx) => {
    const user = await lockKnownUser(tx, userId);
    if (!user.emailVerified || user.emailHash === null) throw new EmailUnverifiedError();
    const found = await selectInvitationByToken(tx, sha256(token));
    if (found === undefined || !(await lockOpen(tx, found))) throw new InvitationInvalidError();
    const invitation = await selectInvitation(tx, found.id); // as it is now that nobody else can change it
    if (invitation === undefined || !isFor(invitation, { userId, emailHash: user.emailHash })) {
      throw new InvitationInvalidError();
    }
    const { channelId, role } = invitation;
    const current = await selectChannelMember(tx, { channelId, userId });
    if (current !== undefined && !isAbove(role, current.role)) {
      if (!isOpen(invitation, nowMs)) throw new InvitationInvalidError();
      return current;
    }
    if (!(await acceptOpenInvitation(tx, { id: invitation.id, userId, nowMs })))
      throw new InvitationInvalidError();
    await deleteSubjectKeys(tx, [invitation.id]);
    const accepted: ChannelMemberRow = { channelId, userId, role, since: current?.since ?? nowMs };
    await upsertChannelMember(tx, accepted);
    return accepted;
  });
  await notifyAccessChanged(deps.bus, userId);
  return member;
}

/** Locks the invitation's channel. False when who invited could not do so (any more): nobody hands on what they lost. */
async function lockOpen(
  tx: Transaction<Database>,
  { channelId, invitedBy }: InvitationRow,
): Promise<boolean> {
  await lockChannel(tx, channelId);
  if (invitedBy === null) return true;
  const inviter = await selectChannelMember(tx, { channelId, userId: invitedBy });
  return inviter?.role === 'OWNER' && (await isActiveUser(tx, invitedBy));
}

function isFor(
  invitation: InvitationRow,
  user: { readonly userId: string; readonly emailHash: Buffer },
): boolean {
  if (invitation.invitedBy === user.userId) return false; // nobody raises themselves
  return !invitation.addressed || invitation.address?.hash.equals(user.emailHash) === true;
}

function isOpen(invitation: InvitationRow, nowMs: number): boolean {
  return invitation.acceptedAt === null && invitation.revokedAt === null && invitation.expiresAt > nowMs;
}

async function sealedAddress(
  vault: Vault,
  tx: Transaction<Database>,
  id: InvitationId,
  address: { readonly email: string; readonly hash: Buffer },
): Promise<SealedAddress> {
  const key = await madeKey(vault, id, tx);
  return { hash: address.hash, sealed: seal(key, sealContext.invitationEmail(id), address.email) };
}
