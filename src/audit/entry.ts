import type { ChannelId, Id } from '../lib/ids.ts';

/** What acts: nobody known, the kinds of credentials, or Tallylight itself. */
export const ACTOR_KINDS = ['ANONYMOUS', 'OPERATOR', 'OVERLAY', 'USER', 'CLIENT', 'SYSTEM'] as const;
export type ActorKind = (typeof ACTOR_KINDS)[number];

/** What became of it. UNKNOWN: the process that did it died before it could say. */
export const AUDIT_OUTCOMES = ['DONE', 'REFUSED', 'FAILED', 'UNKNOWN'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** Ids, roles, scopes and counts: nothing that names a person or opens anything. */
export type AuditDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Who does what to what. */
export interface AuditAct {
  readonly actorKind: ActorKind;
  /** As the API shows it; null for nobody known. */
  readonly actorId: string | null;
  /** In the channel, if there is one, else on the installation. */
  readonly role: string | null;
  readonly channelId: ChannelId | null;
  /** A mutation's name, or what else was done. */
  readonly action: string;
  readonly target: string | null;
  readonly requestId: string | null;
  readonly details: AuditDetails;
}

/** How it ended. `code` says why it was not done. */
export interface AuditResult {
  readonly outcome: AuditOutcome;
  readonly code: string | null;
}

/** An act under way, as it lies in the database. Times are milliseconds since the Unix epoch. */
export interface AuditIntent extends AuditAct {
  readonly id: Id<'auditEntry'>;
  readonly at: number;
  /** Sealed under the actor's key. */
  readonly address: Buffer | null;
}

/** An entry without its place in the chain. */
export interface AuditContent extends AuditIntent, AuditResult {}

/** An entry of the log. */
export interface AuditEntry extends AuditContent {
  /** From 1, without holes. */
  readonly sequence: bigint;
  readonly previousHash: Buffer;
  readonly hash: Buffer;
}

/** Where the log ends. `seal` is null only of a log without entries. */
export interface AuditHead {
  readonly sequence: bigint;
  readonly hash: Buffer;
  readonly seal: Buffer | null;
}

/** Which entries. Null: any. Times are milliseconds since the Unix epoch, `to` exclusive. */
export interface AuditFilter {
  readonly actorId: string | null;
  readonly channelId: ChannelId | null;
  readonly action: string | null;
  readonly outcome: AuditOutcome | null;
  readonly from: number | null;
  readonly to: number | null;
}
