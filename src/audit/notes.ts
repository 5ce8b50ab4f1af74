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
