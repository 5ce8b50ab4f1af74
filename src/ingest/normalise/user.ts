import type { EventUser, FollowRole } from '../../events/unified-event.ts';
import {
  codeOf,
  countOf,
  HANDLE_CHARS_MAX,
  imageUrlOf,
  type JsonRecord,
  listOf,
  NAME_CHARS_MAX,
  recordOf,
  textOf,
  userIdOf,
} from './reading.ts';

const TEAM_LEVEL_MAX = 1_000;
const BADGES_READ_MAX = 20;
/** tiktok-live-proto: UserFansClubFansClubDataUserFansClubStatus.ACTIVE, BadgeSceneType.FANS. */
const FANS_CLUB_ACTIVE = 1;
const BADGE_SCENE_FANS = 10;

/**
 * The person of a message. Who it is hangs on the numeric id alone: without one there is no person, whatever handle
 * the message shows. `identity` is the message's `userIdentity`: the roles as this room's host granted them.
 */
export function userOf(value: unknown, identity?: unknown): EventUser | null {
  const user = recordOf(value);
  const userId = userIdOf(user.id) ?? userIdOf(user.idStr);
  if (userId === null) return null;
  const roles = recordOf(identity);
  return {
    userId,
    uniqueId: textOf(user.displayId, HANDLE_CHARS_MAX),
    displayName: textOf(user.nickname, NAME_CHARS_MAX),
    avatarUrl: imageUrlOf(user.avatarThumb),
    followRole: followRoleOf(user, roles),
    isModerator: roles.isModeratorOfAnchor === true || recordOf(user.userAttr).isAdmin === true,
    isSubscriber:
      roles.isSubscriberOfAnchor === true || recordOf(user.subscribeInfo).isSubscribedToAnchor === true,
    teamMemberLevel: teamMemberLevelOf(user),
  };
}

/** `followStatus`: 1 follows the host, 2 and the host follows back; 3 was seen with and without following. */
function followRoleOf(user: JsonRecord, roles: JsonRecord): FollowRole {
  const status = codeOf(recordOf(user.followInfo).followStatus);
  if (roles.isMutualFollowingWithAnchor === true || status === 2) return 'FRIEND';
  return roles.isFollowerOfAnchor === true || status === 1 ? 'FOLLOWER' : 'NONE';
}

/** From the fan club entry, else from the fan club badge: rooms send one or the other. */
function teamMemberLevelOf(user: JsonRecord): number {
  const club = recordOf(recordOf(user.fansClub).data);
  if (codeOf(club.userFansClubStatus) === FANS_CLUB_ACTIVE) return countOf(club.level, TEAM_LEVEL_MAX);
  const badges = listOf(user.badgeList);
  for (let index = 0; index < badges.length && index < BADGES_READ_MAX; index++) {
    const badge = recordOf(badges[index]);
    if (codeOf(badge.sceneType) === BADGE_SCENE_FANS) {
      return countOf(recordOf(badge.privilegeLogExtra).level, TEAM_LEVEL_MAX);
    }
  }
  return 0;
}
