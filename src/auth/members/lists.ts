import type { Kysely } from 'kysely';
import {
  type ChannelMemberRow,
  selectMembershipPage,
  selectTeamMember,
  selectTeamPage,
  type TeamRow,
} from '../../db/channel-member.ts';
import type { Database } from '../../db/connect.ts';
import { type InvitationRow, selectOpenInvitations } from '../../db/invitation.ts';
import { selectUserPage, selectUserRow, type UserFilter, type UserRow } from '../../db/user-standing.ts';
import type { Clock } from '../../lib/clock.ts';
import { type ChannelId, type Id, type IdKind, parseId, type UserId } from '../../lib/ids.ts';
import { badCursor, type Page, pageOf } from '../../live/page.ts';
import { type SubjectId, sealContext } from '../../privacy/context.ts';
import { type DataKey, open } from '../../privacy/envelope.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { ChannelRole, PlatformRole } from '../viewer.ts';
import { TeamMemberNotFoundError, UserNotFoundError } from './errors.ts';

interface ListDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
}

interface PageQuery {
  readonly first: number;
  /** The last item's id, as the cursor has it. */
  readonly after: string | null;
}

/** Somebody of a channel's team, as the team sees them. Times are milliseconds since the Unix epoch. */
export interface TeamMember {
  readonly channelId: ChannelId;
  readonly userId: UserId;
  readonly role: ChannelRole;
  readonly since: number;
  /** Null: none given. */
  readonly displayName: string | null;
}

/** A user as administrators see them. Times are milliseconds since the Unix epoch. */
export interface UserAccount {
  readonly id: UserId;
  readonly platformRole: PlatformRole;
  readonly email: string | null;
  readonly displayName: string | null;
  readonly emailVerified: boolean;
  readonly createdAt: number;
  readonly disabledAt: number | null;
}

/** An open invitation, as the owners see it. Times are milliseconds since the Unix epoch. */
export interface OpenInvitation extends Omit<InvitationRow, 'address'> {
  /** Null for a link, and once it is closed. */
  readonly email: string | null;
}

/** A channel's team. @throws BadArgumentError on a bad cursor */
export async function listTeam(
  deps: ListDeps,
  query: PageQuery & { readonly channelId: ChannelId },
): Promise<Page<TeamMember>> {
  const afterId = placeOf('user', query.after);
  const rows = await selectTeamPage(deps.db, {
    channelId: query.channelId,
    afterId,
    limit: query.first + 1,
  });
  const page = pageOf(rows, query.first);
  const keys = await keysOf(
    deps,
    page.items.map(({ userId }) => userId),
  );
  return { ...page, items: page.items.map((row) => teamMemberOf(row, keys)) };
}

/** One of a channel's team. @throws TeamMemberNotFoundError */
export async function findTeamMember(
  deps: ListDeps,
  key: { readonly channelId: ChannelId; readonly userId: UserId },
): Promise<TeamMember> {
  const row = await selectTeamMember(deps.db, key);
  if (row === undefined) throw new TeamMemberNotFoundError();
  return teamMemberOf(row, await keysOf(deps, [row.userId]));
}

/** The channels that a user belongs to. @throws BadArgumentError on a bad cursor */
export async function listMemberships(
  deps: Pick<ListDeps, 'db'>,
  query: PageQuery & { readonly userId: UserId },
): Promise<Page<ChannelMemberRow>> {
  const afterId = placeOf('channel', query.after);
  const rows = await selectMembershipPage(deps.db, {
    userId: query.userId,
    afterId,
    limit: query.first + 1,
  });
  return pageOf(rows, query.first);
}

/** A channel's invitations that can still be accepted, the oldest first. @throws BadArgumentError on a bad cursor */
export async function listInvitations(
  deps: ListDeps & { readonly clock: Clock },
  query: PageQuery & { readonly channelId: ChannelId },
): Promise<Page<OpenInvitation>> {
  const rows = await selectOpenInvitations(deps.db, {
    channelId: query.channelId,
    nowMs: deps.clock.nowMs(),
    afterId: placeOf('invitation', query.after),
    limit: query.first + 1,
  });
  const page = pageOf(rows, query.first);
  return { ...page, items: await openInvitations(deps, page.items) };
}

/** Invitations with the addresses they went to. */
export async function openInvitations(
  deps: ListDeps,
  rows: readonly InvitationRow[],
): Promise<readonly OpenInvitation[]> {
  const addressed = rows.filter(({ address }) => address !== null).map(({ id }) => id);
  const keys = await keysOf(deps, addressed);
  return rows.map(({ address, ...row }) => ({
    ...row,
    email: opened(keys.get(row.id), sealContext.invitationEmail(row.id), address?.sealed ?? null),
  }));
}

/** Users in the order in which they came. @throws BadArgumentError on a bad cursor */
export async function listUsers(
  deps: ListDeps,
  query: PageQuery & { readonly filter: UserFilter },
): Promise<Page<UserAccount>> {
  const afterId = placeOf('user', query.after);
  const rows = await selectUserPage(deps.db, { filter: query.filter, afterId, limit: query.first + 1 });
  const page = pageOf(rows, query.first);
  const keys = await keysOf(
    deps,
    page.items.map(({ id }) => id),
  );
  return { ...page, items: page.items.map((row) => userAccountOf(row, keys)) };
}

/** One user as administrators see them. @throws UserNotFoundError */
export async function findUserAccount(deps: ListDeps, id: UserId): Promise<UserAccount> {
  const row = await selectUserRow(deps.db, id);
  if (row === undefined) throw new UserNotFoundError();
  return userAccountOf(row, await keysOf(deps, [id]));
}

type Keys = ReadonlyMap<SubjectId, DataKey>;

async function keysOf(deps: ListDeps, ids: readonly SubjectId[]): Promise<Keys> {
  return ids.length === 0 ? new Map() : await deps.vault.dataKeys(ids, { create: false });
}

function teamMemberOf({ displayName, ...row }: TeamRow, keys: Keys): TeamMember {
  const name = opened(keys.get(row.userId), sealContext.userName(row.userId), displayName);
  return { ...row, displayName: name };
}

function userAccountOf(row: UserRow, keys: Keys): UserAccount {
  const key = keys.get(row.id);
  return {
    ...row,
    email: opened(key, sealContext.userEmail(row.id), row.email),
    displayName: opened(key, sealContext.userName(row.id), row.displayName),
  };
}

/** Null when there is nothing, or its key was destroyed. */
function opened(key: DataKey | undefined, context: string, sealed: Buffer | null): string | null {
  return key === undefined || sealed === null ? null : open(key, context, sealed).toString('utf8');
}

function placeOf<K extends IdKind>(kind: K, after: string | null): Id<K> | null {
  if (after === null) return null;
  const id = parseId(kind, after);
  if (id === undefined) throw badCursor();
  return id;
}
