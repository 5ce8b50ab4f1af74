import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import {
  type HandlePlace,
  type MemberRow,
  selectMemberHandles,
  selectMembersByHandle,
  selectMembersById,
  selectMembersByUser,
} from '../db/member-read.ts';
import { openProfile } from '../events/stored-event.ts';
import type { EventUser, Provider } from '../events/unified-event.ts';
import type { ChannelId, MemberId } from '../lib/ids.ts';
import { sealContext } from '../privacy/context.ts';
import { open } from '../privacy/envelope.ts';
import type { Vault } from '../privacy/vault.ts';
import { badCursor, type Page, pageOf } from './page.ts';

interface AudienceDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
}

/** How many members one look-up by handle gives at most: handles move from person to person. */
const MEMBERS_BY_HANDLE_MAX = 20;

/** A viewer known from a channel's events. Times are milliseconds since the Unix epoch. */
export interface AudienceMember {
  readonly id: MemberId;
  readonly channelId: ChannelId;
  readonly user: EventUser;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
}

/** Finds a member by who they are at the provider. */
export interface UserKey {
  readonly channelId: ChannelId;
  readonly provider: Provider;
  readonly userId: string;
}

/** A handle a member was seen with. */
export interface SeenHandle extends HandlePlace {
  /** Without `@`. */
  readonly handle: string;
}

/** The members with these ids; erased and unknown ones are left out. */
export async function loadMembers(
  deps: AudienceDeps,
  ids: readonly MemberId[],
): Promise<readonly AudienceMember[]> {
  return openMembers(deps, await selectMembersById(deps.db, ids));
}

/** The members who are these people, in the order asked for; null for whom we do not (or not yet) know. */
export async function loadMembersByUser(
  deps: AudienceDeps,
  keys: readonly UserKey[],
): Promise<readonly (AudienceMember | null)[]> {
  const wanted = keys.map((key) => ({
    channelId: key.channelId,
    provider: key.provider,
    userHash: deps.vault.userHash(key),
  }));
  const rows = await selectMembersByUser(deps.db, wanted);
  const members = new Map((await openMembers(deps, rows)).map((member) => [member.id, member]));
  // The hash covers channel and provider, so it alone tells people apart.
  const idByHash = new Map(rows.map((row) => [row.userHash.toString('hex'), row.id]));
  return wanted.map(({ userHash }) => {
    const id = idByHash.get(userHash.toString('hex'));
    return id === undefined ? null : (members.get(id) ?? null);
  });
}

/** The members whose handle this is (as a person types it), the latest seen first, 20 at most. */
export async function findMembers(
  deps: AudienceDeps,
  query: { readonly channelId: ChannelId; readonly handle: string },
): Promise<readonly AudienceMember[]> {
  const handleHash = deps.vault.handleHash(query);
  const limit = MEMBERS_BY_HANDLE_MAX;
  return openMembers(deps, await selectMembersByHandle(deps.db, { ...query, handleHash, limit }));
}

/** The handles a member was seen with, oldest first. @throws BadArgumentError on a cursor of another list */
export async function listHandles(
  deps: AudienceDeps,
  query: { readonly memberId: MemberId; readonly first: number; readonly after: string | null },
): Promise<Page<SeenHandle>> {
  const { memberId, first } = query;
  const after = query.after === null ? null : decodeHandleCursor(query.after);
  const rows = await selectMemberHandles(deps.db, { memberId, after, limit: first + 1 });
  const key = (await deps.vault.dataKeys([memberId], { create: false })).get(memberId);
  if (key === undefined) return { items: [], hasMore: false };
  const page = pageOf(rows, first);
  const items = page.items.map((row) => ({
    firstSeenAt: row.firstSeenAt,
    handleHash: row.handleHash,
    handle: open(key, sealContext.handle(memberId, row.handleHash), row.sealedHandle).toString('utf8'),
  }));
  return { items, hasMore: page.hasMore };
}

/** A handle's place as opaque text. It holds the keyed hash, which tells nobody anything. */
export function encodeHandleCursor(place: HandlePlace): string {
  return Buffer.from(`h1:${place.firstSeenAt}:${place.handleHash.toString('hex')}`).toString('base64url');
}

function decodeHandleCursor(text: string): HandlePlace {
  const match = /^h1:(\d{1,15}):([0-9a-f]{32})$/.exec(Buffer.from(text, 'base64url').toString('latin1'));
  if (match === null) {
    throw badCursor();
  }
  return { firstSeenAt: Number(match[1]), handleHash: Buffer.from(match[2] ?? '', 'hex') };
}

/** Members whose key is destroyed, or whose profile is not what was sealed, are left out: nobody can know them any more. */
async function openMembers(
  deps: AudienceDeps,
  rows: readonly MemberRow[],
): Promise<readonly AudienceMember[]> {
  const keys = await deps.vault.dataKeys(
    rows.map((row) => row.id),
    { create: false },
  );
  return rows.flatMap((row) => {
    const user = openProfile(row, keys.get(row.id));
    if (user === null) return [];
    const { id, channelId, firstSeenAt, lastSeenAt } = row;
    return [{ id, channelId, user, firstSeenAt, lastSeenAt }];
  });
}
