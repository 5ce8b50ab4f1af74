import { UserError } from '../../errors/errors.ts';

/** The channel would be left without an owner who can sign in. */
export class LastOwnerError extends UserError {
  override readonly name = 'LastOwnerError';
  readonly code = 'LAST_OWNER';

  constructor() {
    super('A channel cannot be without an owner: make somebody else its owner first.');
  }
}

/** The installation would be left without an administrator who can sign in. */
export class LastAdminError extends UserError {
  override readonly name = 'LastAdminError';
  readonly code = 'LAST_ADMIN';

  constructor() {
    super('The installation cannot be without an administrator: make somebody else one first.');
  }
}

/** Nobody gives a role to themselves, nor shuts themselves out by it. */
export class OwnRoleError extends UserError {
  override readonly name = 'OwnRoleError';
  readonly code = 'OWN_ROLE';

  constructor() {
    super('Nobody may do this to themselves: somebody else has to.');
  }
}

/** The user does not belong to the channel. */
export class TeamMemberNotFoundError extends UserError {
  override readonly name = 'TeamMemberNotFoundError';
  readonly code = 'TEAM_MEMBER_NOT_FOUND';

  constructor() {
    super("There is no such member of the channel's team.");
  }
}

/** There is no such user, or they may not be given this. */
export class UserNotFoundError extends UserError {
  override readonly name = 'UserNotFoundError';
  readonly code = 'USER_NOT_FOUND';

  constructor() {
    super('There is no such user.');
  }
}

/** A role goes only to an account whose e-mail address is known to be its holder's. */
export class EmailUnverifiedError extends UserError {
  override readonly name = 'EmailUnverifiedError';
  readonly code = 'EMAIL_UNVERIFIED';

  constructor() {
    super('The e-mail address of the account must be verified first.');
  }
}

/** The user owns as many channels as one may. */
export class TooManyChannelsError extends UserError {
  override readonly name = 'TooManyChannelsError';
  readonly code = 'TOO_MANY_CHANNELS';

  constructor(channelsMax: number) {
    super(`A user owns ${channelsMax} channels at most.`);
  }
}

/** The channel of this handle is in other hands. */
export class ChannelTakenError extends UserError {
  override readonly name = 'ChannelTakenError';
  readonly code = 'CHANNEL_TAKEN';

  constructor() {
    super('This streamer is connected here by somebody else. Ask them to invite you.');
  }
}

/** An owner is assigned only to a channel without one: administrators do not take channels away. */
export class ChannelHasOwnerError extends UserError {
  override readonly name = 'ChannelHasOwnerError';
  readonly code = 'CHANNEL_HAS_OWNER';

  constructor() {
    super('The channel has an owner, who alone can pass it on.');
  }
}

/** The invitation cannot be accepted by who asks. Why is not said: it would tell about other people's invitations. */
export class InvitationInvalidError extends UserError {
  override readonly name = 'InvitationInvalidError';
  readonly code = 'INVITATION_INVALID';

  constructor() {
    super('The invitation is unknown, used, taken back or expired, or it is not for this account.');
  }
}

/** There is no such open invitation. */
export class InvitationNotFoundError extends UserError {
  override readonly name = 'InvitationNotFoundError';
  readonly code = 'INVITATION_NOT_FOUND';

  constructor() {
    super('There is no such open invitation.');
  }
}

/** The channel has as many open invitations as it may. */
export class TooManyInvitationsError extends UserError {
  override readonly name = 'TooManyInvitationsError';
  readonly code = 'TOO_MANY_INVITATIONS';

  constructor(invitationsMax: number) {
    super(`A channel has ${invitationsMax} open invitations at most: take some back, or wait.`);
  }
}
