import type { Kysely } from 'kysely';
import type { AuditLog } from './audit/log.ts';
import type { Access } from './auth/access.ts';
import type { ExternalProviders } from './auth/external/providers.ts';
import type { PasswordHasher } from './auth/passwords/password-hasher.ts';
import type { PasswordStrength } from './auth/passwords/password-strength.ts';
import type { SessionStore } from './auth/sessions/session-store.ts';
import type { Tokens } from './auth/tokens/tokens.ts';
import type { Reader, Viewer } from './auth/viewer.ts';
import type { EventBus } from './bus/port.ts';
import type { CheckDocument } from './clients/operation.ts';
import type { RegisteredOperations } from './clients/registered-operations.ts';
import type { ClientUsage } from './clients/usage.ts';
import type { ChannelRow } from './db/channel.ts';
import type { Database } from './db/connect.ts';
import type { SessionRow } from './db/session.ts';
import type { StreamRow } from './db/stream.ts';
import type { GapRow } from './db/stream-gap.ts';
import type { StreamTotals } from './events/stream-stats.ts';
import type { PipelineLink } from './health/pipeline-link.ts';
import type { JobQueue } from './jobs/job-queue.ts';
import type { Clock } from './lib/clock.ts';
import type { ChannelId, GapId, MemberId, SessionId, StreamId } from './lib/ids.ts';
import type { Logger } from './lib/logger.ts';
import type { Limiter } from './limits/limiter.ts';
import type { AudienceMember, UserKey } from './live/audience.ts';
import type { LiveHub } from './live/channel-feed.ts';
import type { MasterKey } from './privacy/master-key.ts';
import type { Vault } from './privacy/vault.ts';

/** What the process offers to every request. */
export interface Services {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly jobs: JobQueue;
  readonly masterKey: MasterKey;
  readonly live: LiveHub;
  readonly health: PipelineHealth;
  /** Buckets that all API processes share. */
  readonly limiter: Limiter;
  readonly sessions: SessionStore;
  readonly passwords: PasswordHasher;
  readonly passwordStrength: PasswordStrength;
  readonly access: Access;
  readonly audit: AuditLog;
  readonly tokens: Tokens;
  /** Who else may say who somebody is. */
  readonly externalProviders: ExternalProviders;
  /** What may be run by id. */
  readonly operations: RegisteredOperations;
  readonly clientUsage: ClientUsage;
  /** Holds a document against the schema and every limit. */
  readonly checkDocument: CheckDocument;
  /** Where clients reach us, without a slash at the end. */
  readonly publicUrl: string;
}

/** Looks at a channel's pipeline, link by link. */
export interface PipelineHealth {
  inspect(channelId: ChannelId): Promise<readonly PipelineLink[]>;
}

/** Loads one thing; loads asked for at the same time travel in one statement. Null: there is none. */
export interface Loader<K, V> {
  load(key: K): Promise<V | null>;
}

/** Per request. */
export interface Loaders {
  readonly channels: Loader<ChannelId, ChannelRow>;
  readonly streams: Loader<StreamId, StreamRow>;
  readonly latestStreams: Loader<ChannelId, StreamRow>;
  readonly sessions: Loader<SessionId, SessionRow>;
  readonly gaps: Loader<GapId, GapRow>;
  readonly streamTotals: Loader<StreamId, StreamTotals>;
  readonly members: Loader<MemberId, AudienceMember>;
  readonly membersByUser: Loader<UserKey, AudienceMember>;
  /** Forgets everything loaded: a subscription does so before each delivery, which must show what is true then. */
  clear(): void;
}

/** How an operation came, and from where. Personal: never logged. */
export interface RequestInfo {
  /** The peer's address; behind a proxy that is trusted, the one it names. Null when unknown. */
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly origin: string | null;
  readonly transport: 'HTTP' | 'WS';
}

/** The cookies that an answer by HTTP may set. */
export interface Cookies {
  /** All that the request brought, by name. */
  read(name: string): string | null;
  /** `value` null takes the cookie away. Always `__Host-`, HttpOnly, Secure; SameSite by its name. */
  set(name: CookieName, value: string | null, maxAgeSeconds: number): void;
}

/** Our cookies. Browsers accept `__Host-` only with Secure, Path=/ and no Domain. */
export const COOKIE_NAMES = ['__Host-tl_session', '__Host-tl_device', '__Host-tl_oidc'] as const;
export type CookieName = (typeof COOKIE_NAMES)[number];

/** What every resolver gets. */
export interface AppContext {
  /** Replaced by a mutation that lets who asks into a channel, so that its payload can show it. @see resolvers/own-role.ts */
  viewer: Viewer;
  /** Of whom rights are asked: the viewer; in a context that several subscribers share, what they have in common. There `viewer` throws. */
  reader: Reader;
  /** Not `request`: by that name Yoga has the request itself, and tells subscriptions by it. */
  readonly requestInfo: RequestInfo;
  /** Null over WebSocket, and for who came with a key or a token: nothing is set there. */
  readonly cookies: Cookies | null;
  /** What may be done once in a request and was. */
  readonly spent: Set<string>;
  /** Channels that staff look into by this request, each with the entry that says so, once it is written. */
  readonly staffReads: Map<ChannelId, Promise<true>>;
  /** Named in errors and logs. */
  readonly requestId: string;
  /** Names the socket, or the request when there is none. */
  readonly connectionId: string;
  readonly services: Services;
  readonly loaders: Loaders;
}
