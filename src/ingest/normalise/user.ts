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
/** tiktok-live-proto: UserFansClubFansClubDataUserFansClubStatus.ACTIVE */
const FANS_CLUB_ACTIVE = 1;
/** tiktok-live-proto: BadgeSceneType */
const BADGE_ADMIN = 1;
const BADGE_SUBSCRIBER = 4;
const BADGE_NEW_SUBSCRIBER = 7;
const BADGE_FANS = 10;

/**
 * The person of a message. Who it is hangs on the numeric id alone: without one there is no person, whatever handle
 * the message shows. `identity` is the message's `userIdentity`: the roles as this room's host granted them.
 */
export function userOf(value: unknown, identity?: unknown): EventUser | null {
  const user = recordOf(value);
  const userId = userIdOf(user.id) ?? userIdOf(user.idStr);
  if (userId === null) return null;
  const roles = recordOf(identity);
  const badges = badgesOf(user);
  return {
    userId,
    uniqueId: textOf(user.displayId, HANDLE_CHARS_MAX),
    displayName: textOf(user.nickname, NAME_CHARS_MAX),
    avatarUrl: imageUrlOf(user.avatarThumb),
    followRole: followRoleOf(user, roles),
    isModerator:
      badges.isModerator || roles.isModeratorOfAnchor === true || recordOf(user.userAttr).isAdmin === true,
    isSubscriber:
      badges.isSubscriber ||
      roles.isSubscriberOfAnchor === true ||
      recordOf(user.subscribeInfo).isSubscribedToAnchor === true,
    teamMemberLevel: badges.teamMemberLevel || fansClubLevelOf(user),
  };
}

/** `followStatus`: 1 follows the host, 2 and the host follows back; 3 was seen with and without following. */
function followRoleOf(user: JsonRecord, roles: JsonRecord): FollowRole {
  const status = codeOf(recordOf(user.followInfo).followStatus);
  if (roles.isMutualFollowingWithAnchor === true || status === 2) return 'FRIEND';
  return roles.isFollowerOfAnchor === true || status === 1 ? 'FOLLOWER' : 'NONE';
}

interface Badges {
  isModerator: boolean;
  isSubscriber: boolean;
  teamMemberLevel: number;
}

const NO_BADGES: Readonly<Badges> = { isModerator: false, isSubscriber: false, teamMemberLevel: 0 };

function badgesOf(user: JsonRecord): Readonly<Badges> {
  const list = listOf(user.badgeList);
  if (list.length === 0) return NO_BADGES;
  const badges = { ...NO_BADGES };
  for (let index = 0; index < list.length && index < BADGES_READ_MAX; index++) {
    const badge = recordOf(list[index]);
    const scene = codeOf(badge.sceneType);
    if (scene === BADGE_ADMIN) badges.isModerator = true;
    else if (scene === BADGE_SUBSCRIBER || scene === BADGE_NEW_SUBSCRIBER) badges.isSubscriber = true;
    else if (scene === BADGE_FANS) {
      badges.teamMemberLevel = countOf(recordOf(badge.privilegeLogExtra).level, TEAM_LEVEL_MAX);
    }
  }
  return badges;
}

function fansClubLevelOf(user: JsonRecord): number {
  const club = recordOf(recordOf(user.fansClub).data);
  return codeOf(club.userFansClubStatus) === FANS_CLUB_ACTIVE ? countOf(club.level, TEAM_LEVEL_MAX) : 0;
}
