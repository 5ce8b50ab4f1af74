import * as webcast from 'tiktok-live-proto/v3';
import { createFieldPicker, type FieldPicker } from './field-picker.ts';

/**
 * The fields that the normaliser reads, of the message types that make up nearly all of a room's traffic. Types that are
 * not listed are decoded whole.
 */
export function createFieldPickers(): ReadonlyMap<string, FieldPicker> {
  const image = createFieldPicker(webcast.ImageModel, ['urlList']);
  const common = createFieldPicker(webcast.CommonMessageData, ['createTime']);
  const commonWithText = createFieldPicker(webcast.CommonMessageData, ['createTime'], {
    displayText: createFieldPicker(webcast.MessageCommonText, ['key']),
  });
  const identity = createFieldPicker(webcast.UserIdentity, [
    'isMutualFollowingWithAnchor',
    'isFollowerOfAnchor',
    'isModeratorOfAnchor',
    'isSubscriberOfAnchor',
  ]);
  const user = createFieldPicker(webcast.User, ['id', 'idStr', 'nickname', 'displayId'], {
    avatarThumb: image,
    followInfo: createFieldPicker(webcast.FollowInfo, ['followStatus']),
    userAttr: createFieldPicker(webcast.UserAttr, ['isAdmin']),
    subscribeInfo: createFieldPicker(webcast.SubscribeInfo, ['isSubscribedToAnchor']),
    fansClub: createFieldPicker(webcast.FansClubMember, [], {
      data: createFieldPicker(webcast.FansClubData, ['level', 'userFansClubStatus']),
    }),
    badgeList: createFieldPicker(webcast.BadgeStruct, ['sceneType'], {
      privilegeLogExtra: createFieldPicker(webcast.PrivilegeLogExtra, ['level']),
    }),
  });
  const emote = createFieldPicker(webcast.EmoteModel, ['emoteId'], { image });
  const gift = createFieldPicker(webcast.Gift, ['id', 'name', 'type', 'diamondCount'], {
    image,
    icon: image,
  });
  return new Map([
    [
      'WebcastChatMessage',
      createFieldPicker(webcast.WebcastChatMessage, ['content', 'contentLanguage'], {
        common,
        user,
        userIdentity: identity,
        emotes: createFieldPicker(webcast.EmojiEmoteWithIndex, [], { emote }),
      }),
    ],
    [
      'WebcastGiftMessage',
      createFieldPicker(
        webcast.WebcastGiftMessage,
        ['giftId', 'repeatCount', 'repeatEnd', 'groupId', 'toMemberIdInt'],
        {
          common,
          user,
          userIdentity: identity,
          toUser: createFieldPicker(webcast.User, ['id']),
          gift,
          monitorInfo: createFieldPicker(webcast.GiftMonitorInfo, ['anchorId']),
        },
      ),
    ],
    [
      'WebcastLikeMessage',
      createFieldPicker(webcast.WebcastLikeMessage, ['count', 'total'], { common, user }),
    ],
    [
      'WebcastMemberMessage',
      createFieldPicker(webcast.WebcastMemberMessage, ['memberCount', 'action'], { common, user }),
    ],
    [
      'WebcastSocialMessage',
      createFieldPicker(webcast.WebcastSocialMessage, ['action'], { common: commonWithText, user }),
    ],
    [
      'WebcastRoomUserSeqMessage',
      createFieldPicker(webcast.WebcastRoomUserSeqMessage, ['total', 'totalUser'], { common }),
    ],
    [
      'WebcastEmoteChatMessage',
      createFieldPicker(webcast.WebcastEmoteChatMessage, [], {
        common,
        user,
        userIdentity: identity,
        emoteList: emote,
      }),
    ],
  ]);
}
