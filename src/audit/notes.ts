import type { Id, UserId } from '../lib/ids.ts';
import type { AuditResult } from './entry.ts';
import type { AuditNote } from './log.ts';

/** A refresh token came twice: its family was ended. What came is nobody's we know, so the log names whose it was. */
export function reuseNote(report: {
  readonly userId: UserId;
  readonly familyId: Id<'tokenFamily'>;
}): AuditNote & AuditResult {
  return {
    actorKind: 'SYSTEM',
    actorId: null,
    role: null,
    channelId: null,
    action: 'refreshTokenReuse',
    target: report.familyId,
    requestId: null,
    address: null,
    details: { userId: report.userId },
    outcome: 'REFUSED',
    code: 'TOKEN_REUSED',
  };
}

/** Something ended at Clerk, and what came of it here was ended too. */
export function clerkNote(
  change: {
    readonly action: string;
    readonly userId: UserId;
    readonly identityId: Id<'externalIdentity'> | null;
  },
  requestId: string,
): AuditNote & AuditResult {
  const { action, userId, identityId } = change;
  return {
    actorKind: 'SYSTEM',
    actorId: null,
    role: null,
    channelId: null,
    action,
    target: identityId ?? userId,
    requestId,
    address: null,
    details: { userId },
    outcome: 'DONE',
    code: null,
  };
}

/** An account was made for somebody whom a provider vouches for. */
export function accountOpenedNote(
  { userId, provider }: { readonly userId: UserId; readonly provider: string },
  requestId: string,
): AuditNote & AuditResult {
  return {
    actorKind: 'USER',
    actorId: userId,
    role: null,
    channelId: null,
    action: 'externalAccountOpened',
    target: userId,
    requestId,
    address: null,
    details: { provider },
    outcome: 'DONE',
    code: null,
  };
}
