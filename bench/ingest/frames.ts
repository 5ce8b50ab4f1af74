import type { FrameMessage } from '../../src/simulator/frame.ts';
import type { Room } from '../../src/simulator/room.ts';

/** As many messages as TikTok puts into a frame of a busy room. */
export const MESSAGES_PER_FRAME = 10;
/** Different viewers in the load: the first events of each also make a person and a key. */
const VIEWERS = 2_000;
/** Steps of a gift streak before its end. */
const STREAK_STEPS = 9;

const ADDRESS = 'https://p16-webcast.example.test/img/';

/** An image as TikTok describes one: three mirrors of one address. */
function image(name: string) {
  const uri = `webcast-va/${name}_72x72_badge_0123456789abcdef.png`;
  const urlList = ['16', '19', '77'].map(
    (mirror) => `${ADDRESS}${mirror}/${uri}~tplv-obj.image?x-expires=1763000000`,
  );
  return { urlList, uri, height: 72, width: 72, avgColor: '#A37C7C', imageType: 1 };
}

function viewer(index: number) {
  const id = `${6_000_000_000_000_000_000n + BigInt(index) * 7_919n}`;
  return {
    id,
    idStr: id,
    nickname: `Viewer ${index}`,
    displayId: `viewer.${index}`,
    secUid: `MS4wLjABAAAA${id}`.padEnd(76, 'x'),
    avatarThumb: image(`avatar${index}`),
    badgeImageList: ['moderator', 'grade', 'fans'].map(image),
    followInfo: { followingCount: '473', followerCount: '71', followStatus: '1' },
  };
}

function displayText(user: ReturnType<typeof viewer>) {
  return {
    key: 'webcast_aweme_message',
    defaultPattern: '{0:user} did {1:string}',
    defaultFormat: { color: '#ffface15', weight: 400 },
    pieces: [
      {
        type: 11,
        format: { color: '#8CE7FF', weight: 400 },
        userValue: { user: { ...user, badgeImageList: [] } },
      },
    ],
  };
}

/**
 * Message number `index` of a load: chat, gifts of streaks, follows and emotes, about 3 kB each as in a real room, and only
 * types that the pipeline stores one by one, so that every message must become a row.
 */
export function loadMessage(room: Room, index: number): FrameMessage {
  const user = viewer(index % VIEWERS);
  const common = { displayText: displayText(user), priorityScore: '10000', anchorPriorityScore: '100000' };
  switch (index % MESSAGES_PER_FRAME) {
    case 3:
    case 7: {
      const streak = Math.floor(index / (MESSAGES_PER_FRAME * STREAK_STEPS));
      const step = Math.floor(index / MESSAGES_PER_FRAME) % STREAK_STEPS;
      const giver = viewer((streak * 13 + (index % MESSAGES_PER_FRAME)) % VIEWERS);
      return room.message('WebcastGiftMessage', {
        common,
        user: giver,
        giftId: '5655',
        repeatCount: step + 1,
        repeatEnd: step === STREAK_STEPS - 1 ? 1 : 0,
        groupId: `${1_700_000_000_000 + streak}`,
        gift: { id: '5655', name: 'Rose', type: 1, diamondCount: 1, combo: true, image: image('rose') },
      });
    }
    case 5:
      return room.message('WebcastSocialMessage', {
        common: { ...common, displayText: { ...common.displayText, key: 'pm_main_follow_message_viewer_2' } },
        user,
        action: '1',
      });
    case 9:
      return room.message('WebcastEmoteChatMessage', {
        common,
        user,
        emoteList: [{ emoteId: '7281238501054696197', image: image('emote') }],
      });
    default:
      return room.message('WebcastChatMessage', {
        common,
        user,
        content: `message number ${index} of the load, as long as people write`,
        contentLanguage: 'en',
        userIdentity: { isFollowerOfAnchor: true },
        commentQualityScores: [
          { version: 'user_type_rule', score: '200000' },
          { version: 'timestamp_desc', score: '98303552822970000' },
        ],
      });
  }
}
