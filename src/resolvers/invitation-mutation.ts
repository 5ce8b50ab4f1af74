import {
  EmailUnverifiedError,
  InvitationInvalidError,
  InvitationNotFoundError,
  TooManyInvitationsError,
} from '../auth/members/errors.ts';
import { inviteByMail } from '../auth/members/invitation-mail.ts';
import { acceptInvitation, createInvitation, revokeInvitation } from '../auth/members/invitations.ts';
import { type OpenInvitation, openInvitations } from '../auth/members/lists.ts';
import type { AppContext } from '../context.ts';
import type { ChannelMemberRow } from '../db/channel-member.ts';
import type { InvitationRow, InvitedRole } from '../db/invitation.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { NotPermittedError } from '../errors/not-permitted.ts';
import { assert } from '../lib/assert.ts';
import { parseId } from '../lib/ids.ts';
import { RateLimitedError } from '../limits/errors.ts';
import { parsedChannelId } from './channel-mutation.ts';
import { nowInChannel } from './own-role.ts';
import { orRefusal, type Refused } from './refusal.ts';

/** How long an invitation may be open, in hours: by default, and at most. */
export const INVITATION_HOURS_DEFAULT = 7 * 24;
export const INVITATION_HOURS_MAX = 30 * 24;

/** A new invitation; its token is shown this once. */
export interface CreatedPayload {
  readonly invitation: OpenInvitation;
  readonly token: string | null;
}
interface InvitationPayload {
  readonly invitation: OpenInvitation;
}
interface MembershipPayload {
  readonly membership: ChannelMemberRow;
}
interface CreateInput {
  readonly channelId: string;
  readonly role: InvitedRole;
  readonly validHours: number;
  readonly email?: string | null | undefined;
}

type CreateRefusal =
  | InvalidInputError
  | ChannelNotFoundError
  | NotPermittedError
  | TooManyInvitationsError
  | RateLimitedError;

export function channelInvitationCreate(
  _root: unknown,
  { input }: { readonly input: CreateInput },
  { viewer, services }: AppContext,
): Promise<CreatedPayload | Refused<CreateRefusal>> {
  return orRefusal<CreatedPayload, CreateRefusal>(async () => {
    const channelId = parsedChannelId(input.channelId);
    requireHours(input.validHours);
    const request = { channelId, role: input.role, hours: input.validHours };
    const created =
      typeof input.email === 'string'
        ? await inviteByMail(services, viewer, { ...request, email: input.email })
        : await createInvitation(services, viewer, { ...request, address: null });
    // A token that went by mail is for the person it went to, and not for who invited them.
    const token = created.invitation.addressed ? null : created.token;
    return { invitation: await shown(created.invitation, services), token };
  }, [InvalidInputError, ChannelNotFoundError, NotPermittedError, TooManyInvitationsError, RateLimitedError]);
}

export function channelInvitationRevoke(
  _root: unknown,
  { input }: { readonly input: { readonly invitationId: string } },
  { viewer, services }: AppContext,
): Promise<InvitationPayload | Refused<InvitationNotFoundError | NotPermittedError>> {
  return orRefusal<InvitationPayload, InvitationNotFoundError | NotPermittedError>(async () => {
    const id = parseId('invitation', input.invitationId);
    if (id === undefined) throw new InvitationNotFoundError();
    return { invitation: await shown(await revokeInvitation(services, viewer, id), services) };
  }, [InvitationNotFoundError, NotPermittedError]);
}

type AcceptRefusal = EmailUnverifiedError | InvitationInvalidError;

export function invitationAccept(
  _root: unknown,
  { input }: { readonly input: { readonly token: string } },
  ctx: AppContext,
): Promise<MembershipPayload | Refused<AcceptRefusal>> {
  return orRefusal<MembershipPayload, AcceptRefusal>(async () => {
    const membership = await acceptInvitation(ctx.services, ctx.viewer, input.token);
    nowInChannel(ctx, membership.channelId, membership.role);
    return { membership };
  }, [EmailUnverifiedError, InvitationInvalidError]);
}

function requireHours(hours: number): void {
  if (hours >= 1 && hours <= INVITATION_HOURS_MAX) return;
  const message = `validHours is from 1 to ${INVITATION_HOURS_MAX}.`;
  throw new InvalidInputError([{ path: ['validHours'], code: 'OUT_OF_RANGE', message }]);
}

async function shown(row: InvitationRow, services: AppContext['services']): Promise<OpenInvitation> {
  const [invitation] = await openInvitations(services, [row]);
  assert(invitation !== undefined, 'one row in, one out');
  return invitation;
}
