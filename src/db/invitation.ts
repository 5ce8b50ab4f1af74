import { type Kysely, sql, type Transaction } from 'kysely';
import { type ChannelId, type Id, idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** What an invitation may make of somebody. */
export type InvitedRole = 'MODERATOR' | 'VIEWER';
export type InvitationId = Id<'invitation'>;

/** To whom an invitation is addressed, as stored. */
export interface SealedAddress {
  /** Keyed, as `app_user.email_hash`. */
  readonly hash: Buffer;
  readonly sealed: Buffer;
}

/** An invitation into a channel's team. Times are milliseconds since the Unix epoch. */
export interface InvitationRow {
  readonly id: InvitationId;
  readonly channelId: ChannelId;
  readonly role: InvitedRole;
  /** To one e-mail address; else it is a link for whoever has it. */
  readonly addressed: boolean;
  /** Null for a link, and once the invitation is closed. */
  readonly address: SealedAddress | null;
  /** Null: the holder of the installation's key. */
  readonly invitedBy: UserId | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly acceptedAt: number | null;
  readonly revokedAt: number | null;
}

interface RawInvitation {
  id: string;
  channel_id: string;
  role: InvitedRole;
  addressed: boolean;
  email_hash: Buffer | null;
  email: Buffer | null;
  invited_by: string | null;
  created_ms: number;
  expires_ms: number;
  accepted_ms: number | null;
  revoked_ms: number | null;
}

const columns = sql`id, channel_id, role, addressed, email_hash, email, invited_by,
  (extract(epoch from created_at) * 1000)::float8 as created_ms,
  (extract(epoch from expires_at) * 1000)::float8 as expires_ms,
  (extract(epoch from accepted_at) * 1000)::float8 as accepted_ms,
  (extract(epoch from revoked_at) * 1000)::float8 as revoked_ms`;

function invitationOf(row: RawInvitation): InvitationRow {
  return {
    id: idFromUuid('invitation', row.id),
    channelId: idFromUuid('channel', row.channel_id),
    role: row.role,
    addressed: row.addressed,
    address:
      row.email === null || row.email_hash === null ? null : { hash: row.email_hash, sealed: row.email },
    invitedBy: row.invited_by === null ? null : idFromUuid('user', row.invited_by),
    createdAt: row.created_ms,
    expiresAt: row.expires_ms,
    acceptedAt: row.accepted_ms,
    revokedAt: row.revoked_ms,
  };
}

const at = (ms: number) => sql`to_timestamp(${ms}::float8 / 1000)`;

/** Stores a new invitation. Needs the channel's lock. */
export async function insertInvitation(
  tx: Transaction<Database>,
  invitation: Omit<InvitationRow, 'acceptedAt' | 'revokedAt'>,
  tokenHash: Buffer,
): Promise<void> {
  const { address } = invitation;
  await sql`
    /* insertInvitation */
    insert into invitation (id, channel_id, role, token_hash, addressed, email_hash, email, invited_by, created_at, expires_at)
    values (${uuidFromId(invitation.id)}, ${uuidFromId(invitation.channelId)}, ${invitation.role}, ${tokenHash},
      ${invitation.addressed}, ${address?.hash ?? null}, ${address?.sealed ?? null},
      ${invitation.invitedBy === null ? null : uuidFromId(invitation.invitedBy)},
      ${at(invitation.createdAt)}, ${at(invitation.expiresAt)})
  `.execute(tx);
}

/** The invitation with this id, open or not. */
export async function selectInvitation(
  db: Kysely<Database>,
  id: InvitationId,
): Promise<InvitationRow | undefined> {
  const result = await sql<RawInvitation>`
    /* selectInvitation */
    select ${columns} from invitation where id = ${uuidFromId(id)}
  `.execute(db);
  return result.rows.map(invitationOf)[0];
}

/** The invitation that this token opens, open or not. */
export async function selectInvitationByToken(
  db: Kysely<Database>,
  tokenHash: Buffer,
): Promise<InvitationRow | undefined> {
  const result = await sql<RawInvitation>`
    /* selectInvitationByToken */
    select ${columns} from invitation where token_hash = ${tokenHash}
  `.execute(db);
  return result.rows.map(invitationOf)[0];
}

/** A channel's invitations that can still be accepted, the oldest first, `limit` of them after `afterId`. */
export async function selectOpenInvitations(
  db: Kysely<Database>,
  page: {
    readonly channelId: ChannelId;
    readonly nowMs: number;
    readonly afterId: InvitationId | null;
    readonly limit: number;
  },
): Promise<readonly InvitationRow[]> {
  const after = page.afterId === null ? sql`true` : sql`id > ${uuidFromId(page.afterId)}::uuid`;
  const result = await sql<RawInvitation>`
    /* selectOpenInvitations */
    select ${columns} from invitation
    where channel_id = ${uuidFromId(page.channelId)} and accepted_at is null and revoked_at is null
      and expires_at > ${at(page.nowMs)} and ${after}
    order by id limit ${page.limit}
  `.execute(db);
  return result.rows.map(invitationOf);
}

/** How many invitations of the channel can still be accepted. Needs the channel's lock. */
export async function countOpenInvitations(
  tx: Transaction<Database>,
  channel: { readonly channelId: ChannelId; readonly nowMs: number },
): Promise<number> {
  const result = await sql<{ open: number }>`
    /* countOpenInvitations */
    select count(*)::int4 as open from invitation
    where channel_id = ${uuidFromId(channel.channelId)} and accepted_at is null and revoked_at is null
      and expires_at > ${at(channel.nowMs)}
  `.execute(tx);
  return result.rows[0]?.open ?? 0;
}

/** Uses the invitation up and forgets to whom it was addressed. False when it is not open (any more). */
export async function acceptOpenInvitation(
  tx: Transaction<Database>,
  acceptance: { readonly id: InvitationId; readonly userId: UserId; readonly nowMs: number },
): Promise<boolean> {
  const result = await sql`
    /* acceptOpenInvitation */
    update invitation set accepted_by = ${uuidFromId(acceptance.userId)}, accepted_at = ${at(acceptance.nowMs)},
      email = null, email_hash = null
    where id = ${uuidFromId(acceptance.id)} and accepted_at is null and revoked_at is null
      and expires_at > ${at(acceptance.nowMs)}
  `.execute(tx);
  return result.numAffectedRows === 1n;
}

/** Takes the invitation back and forgets to whom it was addressed. False when it is not open (any more). */
export async function revokeOpenInvitation(
  tx: Transaction<Database>,
  revocation: { readonly id: InvitationId; readonly nowMs: number },
): Promise<boolean> {
  const result = await sql`
    /* revokeOpenInvitation */
    update invitation set revoked_at = ${at(revocation.nowMs)}, email = null, email_hash = null
    where id = ${uuidFromId(revocation.id)} and accepted_at is null and revoked_at is null
      and expires_at > ${at(revocation.nowMs)}
  `.execute(tx);
  return result.numAffectedRows === 1n;
}

/** Forgets to whom invitations were addressed that have expired; `limit` of them. Returns which: their keys can go. */
export async function clearExpiredAddresses(
  tx: Transaction<Database>,
  options: { readonly nowMs: number; readonly limit: number },
): Promise<readonly InvitationId[]> {
  const result = await sql<{ id: string }>`
    /* clearExpiredAddresses */
    update invitation set email = null, email_hash = null
    where id in (
      select id from invitation where email is not null and expires_at <= ${at(options.nowMs)}
      order by expires_at limit ${options.limit} for update skip locked
    )
    returning id
  `.execute(tx);
  return result.rows.map(({ id }) => idFromUuid('invitation', id));
}
