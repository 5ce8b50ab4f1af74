import { refusalType } from './user-error.ts';

export const ChannelNotFound = refusalType(
  'ChannelNotFoundError',
  'There is no such channel that you may see.',
);
export const NotPermitted = refusalType('NotPermittedError', 'Your role does not permit this.');
export const OwnRole = refusalType('OwnRoleError', 'Nobody may do this to themselves.');
export const LastOwner = refusalType(
  'LastOwnerError',
  'The channel would be left without an owner who can sign in.',
);
export const LastAdmin = refusalType(
  'LastAdminError',
  'The installation would be left without an administrator who can sign in.',
);
export const TeamMemberNotFound = refusalType(
  'TeamMemberNotFoundError',
  'The user does not belong to the channel.',
);
export const UserNotFound = refusalType('UserNotFoundError', 'There is no such user.');
export const EmailUnverified = refusalType(
  'EmailUnverifiedError',
  "The account's e-mail address must be verified first.",
);
export const TooManyChannels = refusalType(
  'TooManyChannelsError',
  'The user owns as many channels as one may.',
);
export const ChannelTaken = refusalType(
  'ChannelTakenError',
  'The streamer is connected here by somebody else, who can invite you.',
);
export const ChannelHasOwner = refusalType(
  'ChannelHasOwnerError',
  'The channel has an owner, who alone can pass it on.',
);
export const InvitationInvalid = refusalType(
  'InvitationInvalidError',
  'The invitation is unknown, used, taken back or expired, or not for this account. Which of these is not said.',
);
export const InvitationNotFound = refusalType(
  'InvitationNotFoundError',
  'There is no such open invitation that you may see.',
);
export const TooManyInvitations = refusalType(
  'TooManyInvitationsError',
  'The channel has as many open invitations as it may.',
);
