import { deserializeMessage, WebcastEventMap } from 'tiktok-live-connector';
import * as webcast from 'tiktok-live-proto/v3';
import { describe, expect, it } from 'vitest';
import { encodeWebcastMessage, type WebcastType } from '../../src/simulator/webcast-message.ts';

const COMMON = {
  method: 'x',
  msgId: '7286185139394235169',
  roomId: '7286182117306452768',
  createTime: '1696447178225',
};
const USER = {
  id: '6416666322324584331',
  displayId: 'ada',
  nickname: 'Ada',
  followInfo: { followStatus: '1' },
};

/** What the stock connector makes of the bytes. */
const decoded = (type: WebcastType, bytes: Uint8Array): unknown =>
  deserializeMessage(type as never, Buffer.from(bytes));

/** Every message type that the schema package has: those with a common part. */
const ALL_TYPES = Object.entries(webcast).flatMap(([name, schema]) =>
  name.startsWith('Webcast') &&
  typeof schema === 'object' &&
  'decode' in schema &&
  'common' in schema.decode(new Uint8Array())
    ? [name as WebcastType]
    : [],
);

describe('every message type that the connector decodes', () => {
  it('is covered: all types that the connector has an event for', () => {
    expect(Object.keys(WebcastEventMap).filter((type) => !ALL_TYPES.includes(type as WebcastType))).toEqual(
      [],
    );
    expect(ALL_TYPES.length).toBe(61);
  });

  it.each(ALL_TYPES)('%s goes through the connector with its common part', (type) => {
    expect(decoded(type, encodeWebcastMessage(type, { common: COMMON }))).toMatchObject({ common: COMMON });
  });
});

const EXAMPLES = [
  [
    'WebcastChatMessage',
    {
      user: USER,
      content: 'hé <b>',
      contentLanguage: 'fr',
      emotes: [{ index: 2, emote: { emoteId: '9', image: { uri: 'u' } } }],
    },
  ],
  [
    'WebcastGiftMessage',
    {
      user: USER,
      toUser: { id: '12345678' },
      giftId: '900001',
      repeatCount: 34,
      comboCount: 34,
      repeatEnd: 1,
      groupId: '1696447170769',
      gift: {
        id: '900001',
        name: 'Pebble',
        type: 1,
        diamondCount: 1,
        image: { urlList: ['https://a.invalid/x'] },
      },
    },
  ],
  ['WebcastLikeMessage', { user: USER, count: 15, total: '90961' }],
  ['WebcastMemberMessage', { user: USER, memberCount: 5, action: 1 }],
  [
    'WebcastSocialMessage',
    {
      user: USER,
      action: '1',
      shareTarget: '7188563965559194650',
      followCount: '52375',
      common: { displayText: { key: 'pm_main_follow_message_viewer_2' } },
    },
  ],
  [
    'WebcastRoomUserSeqMessage',
    { total: '6', totalUser: '473', ranks: [{ score: '1', rank: '1', user: USER }] },
  ],
  ['WebcastSubNotifyMessage', { user: USER, subMonth: '3', subscribingStatus: 1 }],
  [
    'WebcastEmoteChatMessage',
    { user: USER, emoteList: [{ emoteId: '7281238501054696197', image: { uri: 'e' } }] },
  ],
  ['WebcastQuestionNewMessage', { data: { questionId: '7286184250460651552', content: 'why?', user: USER } }],
  [
    'WebcastEnvelopeMessage',
    { envelopeInfo: { envelopeId: '7286180718476299041', diamondCount: 100 }, display: 1 },
  ],
  ['WebcastImDeleteMessage', { deleteUserIds: ['6905950371101481493'] }],
  [
    'WebcastBarrageMessage',
    {
      msgType: 11,
      content: { key: 'k', defaultPattern: 'joined' },
      fansLevelParam: { currentGrade: 21, user: USER },
    },
  ],
  [
    'WebcastLinkMicBattle',
    {
      battleId: '7286185120444009249',
      action: 5,
      battleSettings: { duration: 301 },
      anchorsInfo: [{ key: '1', value: { user: { userId: '2', nickName: 'n', displayId: 'd' } } }],
      battleResult: { '1': { userId: '1', result: 1, score: '9' } },
    },
  ],
  [
    'WebcastLinkMicArmies',
    {
      battleId: '7286184518701337350',
      armies: {
        '6546394480063250947': {
          hostscore: '1883',
          userArmies: [{ userId: '6083550315758600403', score: '1498', nickname: 'V' }],
        },
      },
    },
  ],
  ['WebcastControlMessage', { action: 3 }],
] as const;

describe('fields that were given', () => {
  it.each(EXAMPLES)('%s: the connector decodes them as they were, nested ones included', (type, fields) => {
    expect(decoded(type, encodeWebcastMessage(type, fields as never))).toMatchObject(fields);
  });

  it('that the schema does not have are refused, with their name', () => {
    expect(() => encodeWebcastMessage('WebcastChatMessage', { contents: 'typo' } as never)).toThrow(
      'the schema has a field contents',
    );
    expect(() =>
      encodeWebcastMessage('WebcastChatMessage', { user: { uniqueId: 'old name' } } as never),
    ).toThrow('the schema has a field uniqueId');
  });
});
