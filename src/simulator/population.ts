import type { User } from 'tiktok-live-proto/v3';
import type { Random } from '../lib/random.ts';
import type { DeepPartial } from './webcast-message.ts';
import { CREATURES, QUALITIES } from './words.ts';

/** Most viewers that a room may be given: each is a small object kept for the room's life. */
export const VIEWERS_MAX = 100_000;

/** A made-up viewer. `handle` may change over time; `id` never does. */
export interface Viewer {
  readonly id: string;
  handle: string;
  readonly nickname: string;
  /** 0 none, 1 follows the streamer, 2 both follow each other. */
  followStatus: 0 | 1 | 2;
  readonly isModerator: boolean;
  isSubscriber: boolean;
  /** Level in the fan club, 0 when not a member. */
  readonly teamLevel: number;
}

/** The room's audience: the same people for the same random stream. */
export function createPopulation(random: Random, count: number): readonly Viewer[] {
  return Array.from({ length: count }, (_, index) => createViewer(random, index));
}

function createViewer(random: Random, index: number): Viewer {
  const quality = random.pick(QUALITIES);
  const creature = random.pick(CREATURES);
  const followStatus = random.chance(0.4) ? (random.chance(0.1) ? 2 : 1) : 0;
  return {
    // 8 to 19 digits, as TikTok's are: accounts of early days have the short ones.
    id: random.chance(0.1)
      ? `${10_000_000 + index * 37}`
      : `${6_800_000_000_000_000_000n + BigInt(index) * 7_919n}`,
    handle: `${quality}.${creature}${index}`.toLowerCase(),
    nickname: random.chance(0.2) ? `${quality} ${creature} ✨` : `${quality} ${creature}`,
    followStatus,
    isModerator: random.chance(0.02),
    isSubscriber: random.chance(0.05),
    teamLevel: random.chance(0.25) ? random.integer(1, 40) : 0,
  };
}

/** The viewer as messages carry people. No picture: the simulator's people have no address on the web. */
export function userFields(viewer: Viewer): DeepPartial<User> {
  return {
    id: viewer.id,
    idStr: viewer.id,
    displayId: viewer.handle,
    nickname: viewer.nickname,
    secUid: `MS4w_simulated_${viewer.id}`,
    followInfo: { followStatus: `${viewer.followStatus}` },
    ...(viewer.isModerator ? { userAttr: { isAdmin: true } } : {}),
    ...(viewer.teamLevel > 0
      ? { fansClub: { data: { clubName: 'Simulated', level: viewer.teamLevel } } }
      : {}),
  };
}

/** What the viewer is to the streamer, as messages carry it. */
export function identityFields(viewer: Viewer): {
  readonly isFollowerOfAnchor: boolean;
  readonly isMutualFollowingWithAnchor: boolean;
  readonly isSubscriberOfAnchor: boolean;
  readonly isModeratorOfAnchor: boolean;
} {
  return {
    isFollowerOfAnchor: viewer.followStatus > 0,
    isMutualFollowingWithAnchor: viewer.followStatus === 2,
    isSubscriberOfAnchor: viewer.isSubscriber,
    isModeratorOfAnchor: viewer.isModerator,
  };
}
