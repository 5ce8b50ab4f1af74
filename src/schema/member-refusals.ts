import type { UserError } from '../errors/errors.ts';
import type { Refused } from '../resolvers/refusal.ts';
import { builder } from './builder.ts';
import { PUBLIC } from './scopes.ts';
import { UserErrorInterface } from './user-error.ts';

/** A refusal that says no more than its code and sentence. Named as its error's class. */
function refusal(name: string, description: string) {
  return builder
    .objectRef<Refused<UserError>>(name)
    .implement({ description, authScopes: PUBLIC, interfaces: [UserErrorInterface] });
}

export const ChannelNotFound = refusal('ChannelNotFoundError', 'There is no such channel that you may see.');
export const NotPermitted = refusal('NotPermittedError', 'Your role does not permit this.');
export const OwnRole = refusal('OwnRoleError', 'Nobody may do this to themselves.');
export const LastOwner = refusal(
  'LastOwnerError',
  'The channel would be left without an owner who can sign in.',
);
export const LastAdmin = refusal(
  'LastAdminError',
  'The installation would be left without an administrator who can sign in.',
);
export const TeamMemberNotFound = refusal(
  'TeamMemberNotFoundError',
  'The user does not belong to the channel.',
);
export const UserNotFound = refusal('UserNotFoundError', 'There is no such user.');
export const EmailUnverified = refusal(
  'EmailUnverifiedError',
  "The account's e-mail address must be verified first.",
);
export const TooManyChannels = refusal('TooManyChannelsError', 'The user owns as many channels as one may.');
export const ChannelTaken = refusal(
  'ChannelTakenError',
  'The streamer is connected here by somebody else, who can invite you.',
);
export const ChannelHasOwner = refusal(
  'ChannelHasOwnerError',
  'The channel has an owner, who alone can pass it on.',
);
export const InvitationInvalid = refusal(
  'InvitationInvalidError',
  'The invitation is unknown, used, taken back or expired, or not for this account. Which of these is not said.',
);
export const InvitationNotFound = refusal(
  'InvitationNotFoundError',
  'There is no such open invitation that you may see.',
);
export const TooManyInvitations = refusal(
  'TooManyInvitationsError',
  'The channel has as many open invitations as it may.',
);
