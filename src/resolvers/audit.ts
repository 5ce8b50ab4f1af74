import type { AuditEntry, AuditOutcome } from '../audit/entry.ts';
import { auditCursor, listAuditEntries } from '../audit/list.ts';
import { openStaffAccess } from '../audit/staff-access.ts';
import type { AppContext } from '../context.ts';
import { BadArgumentError } from '../errors/bad-argument.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { parseId } from '../lib/ids.ts';
import { parsedChannelId } from './channel-mutation.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';
import { orRefusal, type Refused } from './refusal.ts';
import { userOf } from './sign-in.ts';

/** What a filter of entries asks for. */
interface AuditFilterInput {
  readonly actorId?: string | null | undefined;
  readonly channelId?: string | null | undefined;
  readonly action?: string | null | undefined;
  readonly outcome?: AuditOutcome | null | undefined;
  readonly from?: number | null | undefined;
  readonly to?: number | null | undefined;
}

export async function queryAuditEntries(
  _root: unknown,
  args: PageArguments & { readonly filter?: AuditFilterInput | null | undefined },
  { services }: AppContext,
): Promise<Connection<AuditEntry>> {
  const request = pageRequest(args);
  const input = args.filter ?? {};
  const channelId = typeof input.channelId === 'string' ? parseId('channel', input.channelId) : null;
  if (channelId === undefined) throw new BadArgumentError('filter', 'channelId must be the id of a channel.');
  const filter = {
    actorId: input.actorId ?? null,
    channelId,
    action: input.action ?? null,
    outcome: input.outcome ?? null,
    from: input.from ?? null,
    to: input.to ?? null,
  };
  return connectionOf(await listAuditEntries(services, { ...request, filter }), request, auditCursor);
}

export function staffAccessOpen(
  _root: unknown,
  { input }: { readonly input: { readonly channelId: string; readonly reason: string } },
  ctx: AppContext,
): Promise<{ readonly expiresAt: number } | Refused<ChannelNotFoundError | InvalidInputError>> {
  return orRefusal<{ readonly expiresAt: number }, ChannelNotFoundError | InvalidInputError>(async () => {
    const { userId } = userOf(ctx);
    const channelId = parsedChannelId(input.channelId);
    const { expiresAt } = await openStaffAccess(ctx.services, { userId, channelId, reason: input.reason });
    return { expiresAt };
  }, [ChannelNotFoundError, InvalidInputError]);
}
