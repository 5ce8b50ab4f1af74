import type { ChannelId, Id, MemberId, SignInId, UserId } from '../lib/ids.ts';

/** Whose key seals a value: an audience member's, a user's, an invitation's (to whom it goes), or a channel's for data about nobody in particular. */
export type SubjectId = MemberId | ChannelId | UserId | Id<'invitation'>;

/**
 * The contexts of `seal` and `open`: one per encrypted column, naming the row. The subject is bound by the key itself.
 * Changing one makes everything sealed before unreadable.
 */
export const sealContext = {
  /** `event.personal`. @see splitPayload */
  event: (eventId: string): string => `event.personal\n${eventId}`,
  /** `audience_member.profile`. @see MemberProfile */
  profile: (memberId: MemberId): string => `audience_member.profile\n${memberId}`,
  /** `member_handle.handle`. */
  handle: (memberId: MemberId, handleHash: Buffer): string =>
    `member_handle.handle\n${memberId}\n${handleHash.toString('hex')}`,
  /** `channel.sign_key`. */
  signKey: (channelId: ChannelId): string => `channel.sign_key\n${channelId}`,
  /** `app_user.email`. */
  userEmail: (userId: UserId): string => `app_user.email\n${userId}`,
  /** `app_user.display_name`. */
  userName: (userId: UserId): string => `app_user.display_name\n${userId}`,
  /** `one_time_token.email`. */
  newEmail: (userId: UserId): string => `one_time_token.email\n${userId}`,
  /** `outgoing_mail.content`. */
  mail: (mailId: string): string => `outgoing_mail.content\n${mailId}`,
  /** `user_session.user_agent`. */
  sessionUserAgent: (id: SignInId): string => `user_session.user_agent\n${id}`,
  /** `user_session.address`. */
  sessionAddress: (id: SignInId): string => `user_session.address\n${id}`,
  /** `invitation.email`. */
  invitationEmail: (invitationId: Id<'invitation'>): string => `invitation.email\n${invitationId}`,
  /** `token_family.name`. */
  tokenFamilyName: (id: Id<'tokenFamily'>): string => `token_family.name\n${id}`,
  /** `audit_entry.address`, and the same of its intent. */
  auditAddress: (id: Id<'auditEntry'>): string => `audit_entry.address\n${id}`,
  /** `staff_access.reason`. */
  staffAccessReason: (id: Id<'staffAccess'>): string => `staff_access.reason\n${id}`,
  /** `totp_factor.secret`. */
  totpSecret: (userId: UserId): string => `totp_factor.secret\n${userId}`,
  /** `passkey.name`. */
  passkeyName: (passkeyId: Id<'passkey'>): string => `passkey.name\n${passkeyId}`,
} as const;
