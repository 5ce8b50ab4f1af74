import { createHash, randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { ChannelRole, PlatformRole, SignedInUser } from '../../../src/auth/viewer.ts';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import type { EventBus } from '../../../src/bus/port.ts';
import type { Database } from '../../../src/db/connect.ts';
import { type ChannelId, newId, type UserId, uuidFromId } from '../../../src/lib/ids.ts';
import { connectChannel } from '../../../src/live/channels.ts';
import { type MasterKey, parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../../src/privacy/vault.ts';
import { createTestDatabase } from '../../support/database.ts';

/** Users and channels in a database of their own, with a clock that stands still unless moved. */
export interface Team extends AsyncDisposable {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly masterKey: MasterKey;
  readonly clock: { nowMs(): number; advance(ms: number): void };
  /** Whose access was told to have changed since the last look. */
  told(): readonly string[];
  /** Whose sign-ins were ended since the last look. */
  ended(): readonly string[];
  endSignIns(userId: UserId): Promise<void>;
  user(options?: {
    readonly email?: string;
    readonly verified?: boolean;
    readonly role?: PlatformRole;
  }): Promise<UserId>;
  channel(members?: Readonly<Partial<Record<ChannelRole, readonly UserId[]>>>): Promise<ChannelId>;
  /** Who asks, as authentication would have it now. */
  viewer(userId: UserId): Promise<SignedInUser>;
  roles(channelId: ChannelId): Promise<Readonly<Record<string, ChannelRole>>>;
  platformRole(userId: UserId): Promise<string>;
}

/** Stands for the keyed hash of an address. */
export function addressHash(email: string): Buffer {
  return createHash('sha256').update(email).digest();
}

export async function openTeam(): Promise<Team> {
  const cleanup = new AsyncDisposableStack();
  const database = cleanup.use(await createTestDatabase());
  const { db } = database;
  let now = 1_700_000_000_000;
  const clock = {
    nowMs: () => now,
    advance: (ms: number) => {
      now += ms;
    },
  };
  const bus = createInProcessBus({ clock });
  cleanup.defer(() => bus.close());
  let told: string[] = [];
  let ended: string[] = [];
  await bus.listen('access', (payload) => told.push(payload));
  const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
  const vault = createVault({ db, masterKey, clock });
  let channels = 0;
  return {
    db,
    bus,
    vault,
    masterKey,
    clock,
    told: () => {
      const all = told;
      told = [];
      return all;
    },
    ended: () => {
      const all = ended;
      ended = [];
      return all;
    },
    endSignIns: async (userId) => {
      ended.push(userId);
    },
    user: async ({ email, verified = true, role = 'USER' } = {}) => {
      const id = newId('user', now);
      await sql`insert into app_user (id, email_hash, email_verified_at, platform_role)
        values (${uuidFromId(id)}, ${addressHash(email ?? id)}, ${verified ? sql`now()` : null}, ${role})`.execute(
        db,
      );
      return id;
    },
    channel: async (members = {}) => {
      channels += 1;
      const { id } = await connectChannel(
        { db, bus, clock, masterKey },
        { handle: `team.${channels}`, provider: 'TIKTOK' },
      );
      for (const [role, users] of Object.entries(members)) {
        for (const userId of users) {
          await sql`insert into channel_member (channel_id, user_id, role)
            values (${uuidFromId(id)}, ${uuidFromId(userId)}, ${role})`.execute(db);
        }
      }
      return id;
    },
    viewer: async (userId) => {
      const rows = await db
        .selectFrom('channel_member')
        .selectAll()
        .where('user_id', '=', uuidFromId(userId))
        .execute();
      const user = await db
        .selectFrom('app_user')
        .selectAll()
        .where('id', '=', uuidFromId(userId))
        .executeTakeFirstOrThrow();
      return {
        kind: 'USER',
        userId,
        platformRole: user.platform_role as PlatformRole, // the column's check holds it
        emailVerified: user.email_verified_at !== null,
        credential: { kind: 'SESSION', id: newId('signIn', now) },
        mfa: 'NOT_REQUIRED',
        freshUntilMs: null,
        memberships: new Map(
          rows.map((row) => [
            `chn_${row.channel_id.replaceAll('-', '')}` as ChannelId, // a uuid of a channel
            row.role as ChannelRole, // the column's check holds it
          ]),
        ),
        staffAccess: new Set(),
      };
    },
    roles: async (channelId) => {
      const rows = await db
        .selectFrom('channel_member')
        .selectAll()
        .where('channel_id', '=', uuidFromId(channelId))
        .execute();
      return Object.fromEntries(
        rows.map((row) => [`usr_${row.user_id.replaceAll('-', '')}`, row.role as ChannelRole]),
      );
    },
    platformRole: async (userId) =>
      (
        await db
          .selectFrom('app_user')
          .select('platform_role')
          .where('id', '=', uuidFromId(userId))
          .executeTakeFirstOrThrow()
      ).platform_role,
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

/** The code an action is refused with; `null` when it is not. */
export async function refusal(action: Promise<unknown>): Promise<string | null> {
  try {
    await action;
    return null;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
}
