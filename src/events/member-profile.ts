import type { EventUser } from './unified-event.ts';

/** How long the times that providers write into avatar addresses are treated as the same, in seconds. */
const AVATAR_EXPIRY_STEP_SECONDS = 6 * 60 * 60;

/** What `audience_member.profile` holds, sealed: the person, as opposed to their role in the channel. */
export type MemberProfile = Pick<EventUser, 'userId' | 'uniqueId' | 'displayName' | 'avatarUrl'>;

/** The profile as the JSON text that is sealed. */
export function profileText(user: EventUser): string {
  const profile: MemberProfile = {
    userId: user.userId,
    uniqueId: user.uniqueId,
    displayName: user.displayName,
    avatarUrl: user.avatarUrl,
  };
  return JSON.stringify(profile);
}

/**
 * Equal for two looks at the same user exactly when there is nothing new to store: person, role and avatar. TikTok signs
 * every avatar address anew and serves it from changing hosts, so of an address only the path counts, and the time it
 * expires in steps of six hours: often enough that a stored address still works.
 */
export function profileFingerprint(user: EventUser): string {
  return JSON.stringify([
    user.userId,
    user.uniqueId,
    user.displayName,
    user.avatarUrl === null ? null : avatarFingerprint(user.avatarUrl),
    user.followRole,
    user.isModerator,
    user.isSubscriber,
    user.teamMemberLevel,
  ]);
}

function avatarFingerprint(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  const expires = Number(url.searchParams.get('x-expires') ?? 0);
  return `${url.pathname} ${Math.floor(expires / AVATAR_EXPIRY_STEP_SECONDS)}`;
}

/** Whether two looks at a user are the same in every field: the usual case, told without computing fingerprints. */
export function sameUser(one: EventUser, other: EventUser): boolean {
  return (
    one.displayName === other.displayName &&
    one.avatarUrl === other.avatarUrl &&
    one.uniqueId === other.uniqueId &&
    one.userId === other.userId &&
    one.followRole === other.followRole &&
    one.isModerator === other.isModerator &&
    one.isSubscriber === other.isSubscriber &&
    one.teamMemberLevel === other.teamMemberLevel
  );
}
