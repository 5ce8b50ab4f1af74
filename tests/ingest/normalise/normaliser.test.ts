import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SourceMessage } from '../../../src/ingest/live-source.ts';
import { restoreState } from '../../../src/ingest/normalise/normaliser-state.ts';
import {
  CHANNEL,
  common,
  drafts,
  eventUser,
  message,
  NOW,
  OTHER_SESSION,
  only,
  RecordingBus,
  room,
  SESSION,
  STREAM,
  user,
} from '../support/webcast-room.ts';

const VIEWER = '6416666322324584331';

/** Type, person and payload of the only event that a message with this data gives. */
function said(rawType: string, data: Readonly<Record<string, unknown>>) {
  const { eventType, user: person, payload } = only(room().accept([message(rawType, data)]));
  return { eventType, userId: person?.userId ?? null, payload };
}

describe('a chat', () => {
  it('becomes an event with its place, its times and its giver', () => {
    const data = { common: common(NOW - 500), user: user(VIEWER), content: 'hello', contentLanguage: 'en' };
    expect(room().accept([message('WebcastChatMessage', data, { history: true })])).toEqual({
      items: [
        {
          draft: {
            schemaVersion: '1',
            eventId: createHash('sha256')
              .update(`TIKTOK\n${STREAM}\n7290000000000000001\nWebcastChatMessage`)
              .digest('hex'),
            eventType: 'CHAT',
            triggerId: 1,
            provider: 'TIKTOK',
            channelId: CHANNEL,
            streamId: STREAM,
            sessionId: SESSION,
            timestamp: NOW - 500,
            ingestedAt: NOW,
            source: 'LIVE',
            history: true,
            user: eventUser(VIEWER),
            payload: { message: 'hello', emotes: [], language: 'en' },
          },
          stateChanges: { set: { last: `${STREAM} ${NOW}` } },
        },
      ],
      undecodable: [],
    });
  });

  it('keeps its emotes, and a language only when it is one', () => {
    const emotes = [
      {
        index: 3,
        emote: { emoteId: '7285343547883195169', image: { urlList: ['https://p16.example/e.webp'] } },
      },
      { index: 9, emote: { emoteId: '', image: undefined } },
    ];
    for (const [contentLanguage, language] of [
      ['pt-BR', 'pt-BR'],
      ['un', null],
      ['', null],
      ['<script>', null],
      [7, null],
    ]) {
      expect(
        said('WebcastChatMessage', { user: user(VIEWER), content: 'x', emotes, contentLanguage }).payload,
      ).toEqual({
        message: 'x',
        emotes: [{ emoteId: '7285343547883195169', emoteImageUrl: 'https://p16.example/e.webp' }],
        language,
      });
    }
  });
});

describe('each type of message', () => {
  const person = { user: user(VIEWER) };
  const hosts = [
    { key: '1', value: { user: { userId: '501', nickName: 'Ann' } } },
    { key: '2', value: { user: { userId: '502', nickName: 'Ben' } } },
  ];
  it.each([
    [
      'WebcastLikeMessage',
      { ...person, count: 15, total: '90961' },
      'LIKE',
      VIEWER,
      { likeCount: 15, totalLikeCount: 90_961 },
    ],
    [
      'WebcastMemberMessage',
      { ...person, action: 1, memberCount: 148 },
      'JOIN',
      VIEWER,
      { viewerCount: 148, joinCount: 1 },
    ],
    [
      'WebcastSocialMessage',
      { ...person, common: { displayText: { key: 'pm_main_follow_message_viewer_2' } } },
      'FOLLOW',
      VIEWER,
      {},
    ],
    [
      'WebcastSocialMessage',
      { ...person, common: { displayText: { key: 'pm_mt_guidance_share' } } },
      'SHARE',
      VIEWER,
      {},
    ],
    ['WebcastSocialMessage', { ...person, action: '1' }, 'FOLLOW', VIEWER, {}],
    ['WebcastSocialMessage', { ...person, action: 3 }, 'SHARE', VIEWER, {}],
    [
      'WebcastSubNotifyMessage',
      { ...person, subMonth: '4', subscribingStatus: 1 },
      'SUBSCRIBE',
      VIEWER,
      { subMonth: 4 },
    ],
    [
      'WebcastEmoteChatMessage',
      { ...person, emoteList: [{ emoteId: '9' }] },
      'EMOTE',
      VIEWER,
      { emoteId: '9', emoteImageUrl: null },
    ],
    [
      'WebcastRoomUserSeqMessage',
      { total: '6', totalUser: '473', ranks: [person] },
      'ROOM_USER',
      null,
      { viewerCount: 6, totalViewerCount: 473 },
    ],
    ['WebcastControlMessage', { action: 3 }, 'STREAM_END', null, { reason: 'ENDED' }],
    ['WebcastControlMessage', { action: '4' }, 'STREAM_END', null, { reason: 'SUSPENDED' }],
    [
      'WebcastImDeleteMessage',
      { deleteUserIds: ['42', '0', 'x'] },
      'MESSAGE_DELETED',
      null,
      { userIds: ['42'] },
    ],
    [
      'WebcastQuestionNewMessage',
      { data: { ...person, questionId: '8', content: 'why?' } },
      'QUESTION',
      VIEWER,
      { questionId: '8', message: 'why?' },
    ],
    [
      'WebcastEnvelopeMessage',
      { envelopeInfo: { envelopeId: '5', diamondCount: 20, sendUserId: '42' }, display: 1 },
      'ENVELOPE',
      null,
      { envelopeId: '5', coins: 20 },
    ],
    [
      'WebcastEnvelopeMessage',
      { envelopeInfo: { envelopeId: '5' } },
      'ENVELOPE',
      null,
      { envelopeId: '5', coins: null },
    ],
    [
      'WebcastLinkMicBattle',
      { battleId: '77', action: 4, anchorsInfo: hosts },
      'BATTLE',
      null,
      {
        battleId: '77',
        battleStatus: 'STARTED',
        participants: [
          { userId: '501', displayName: 'Ann', score: 0 },
          { userId: '502', displayName: 'Ben', score: 0 },
        ],
      },
    ],
    [
      'WebcastLinkMicBattle',
      {
        battleId: '77',
        action: 5,
        anchorsInfo: hosts,
        battleResult: { 1: { userId: '501', score: '44' }, 502: { score: '9' } },
      },
      'BATTLE',
      null,
      {
        battleId: '77',
        battleStatus: 'ENDED',
        participants: [
          { userId: '501', displayName: 'Ann', score: 44 },
          { userId: '502', displayName: 'Ben', score: 9 },
        ],
      },
    ],
    [
      'WebcastLinkMicArmies',
      {
        battleId: '77',
        armies: { 501: { hostscore: '1883', userArmies: [{ userId: VIEWER, score: '3' }] }, x: {} },
      },
      'BATTLE',
      null,
      {
        battleId: '77',
        battleStatus: 'UPDATED',
        participants: [{ userId: '501', displayName: '', score: 1_883 }],
      },
    ],
  ])('%s → %#: %s', (rawType, data, eventType, userId, payload) => {
    expect(said(rawType, data)).toEqual({ eventType, userId, payload });
  });

  it.each([
    ['WebcastMemberMessage', { action: 26 }],
    ['WebcastSocialMessage', { action: '9' }],
    ['WebcastSubNotifyMessage', { subscribingStatus: 3 }], // cancelled
    ['WebcastEmoteChatMessage', { emoteList: [] }],
    ['WebcastControlMessage', { action: 1 }],
    ['WebcastControlMessage', { action: 2 }],
    ['WebcastImDeleteMessage', { deleteMsgIds: ['7'], deleteUserIds: [] }],
    ['WebcastQuestionNewMessage', {}],
    ['WebcastEnvelopeMessage', { envelopeInfo: { envelopeId: '5' }, display: 2 }],
    ['WebcastLinkMicBattle', { battleId: '77', action: 1 }], // an invitation
    ['WebcastLinkMicArmies', {}],
    ['WebcastGiftMessage', { repeatCount: 3 }], // of no gift
    ['WebcastBarrageMessage', { msgType: 11 }],
    ['SomethingNew', { a: 1 }],
  ])('%s that says nothing we have a type for is kept RAW: %j', (rawType, data) => {
    expect(said(rawType, data)).toMatchObject({ eventType: 'RAW', userId: null, payload: { rawType } });
  });

  it('of emotes gives one event per emote, each with an id of its own', () => {
    const data = { ...person, emoteList: [{ emoteId: '1' }, { emoteId: '2' }, { emoteId: '3' }] };
    const all = drafts(room().accept([message('WebcastEmoteChatMessage', data)]));
    expect(all.map((draft) => draft.payload)).toEqual(
      ['1', '2', '3'].map((emoteId) => ({ emoteId, emoteImageUrl: null })),
    );
    expect(new Set(all.map((draft) => draft.eventId)).size).toBe(3);
  });

  it('remembers the hosts of a battle for the scores, which come without names', () => {
    const normaliser = room();
    normaliser.accept([message('WebcastLinkMicBattle', { battleId: '77', action: 4, anchorsInfo: hosts })]);
    const armies = { 501: { hostscore: '10' }, 502: { hostscore: '7' } };
    const update = (battleId: string) =>
      only(normaliser.accept([message('WebcastLinkMicArmies', { battleId, armies })])).payload;
    expect(update('77')).toMatchObject({
      participants: [
        { displayName: 'Ann', score: 10 },
        { displayName: 'Ben', score: 7 },
      ],
    });
    expect(update('78')).toMatchObject({ participants: [{ displayName: '' }, { displayName: '' }] });
  });
});

describe('the person of a message', () => {
  const personOf = (data: Readonly<Record<string, unknown>>) =>
    only(room().accept([message('WebcastChatMessage', { content: 'x', ...data })])).user;

  it('[T-S7] is the numeric id and nothing else: without one there is nobody, whatever the handle says', () => {
    for (const id of [
      '0',
      '',
      '00',
      '007',
      '-5',
      '1e9',
      '12345678901234567890123',
      ' 5',
      '٣',
      12.5,
      null,
      {},
      ['5'],
    ]) {
      expect(personOf({ user: user('x', { id, idStr: id, displayId: 'the_real_host' }) })).toBeNull();
    }
    expect(personOf({ user: user('x', { id: '0', idStr: '77' }) })?.userId).toBe('77');
    expect(personOf({ user: user('18446744073709551615') })?.userId).toBe('18446744073709551615');
  });

  it('[T-S7] stays the same when handle and name change, and differs when only they are the same', () => {
    const copy = { displayId: 'star', nickname: 'Star' };
    expect(personOf({ user: user('11', copy) })).toEqual({
      ...personOf({ user: user('12', copy) }),
      userId: '11',
      avatarUrl: 'https://p16.example/11.webp',
    });
    expect(personOf({ user: user('11', { displayId: 'renamed' }) })?.userId).toBe('11');
  });

  it('has the roles that this room gave', () => {
    const roles = (changes: Readonly<Record<string, unknown>>, userIdentity?: unknown) => {
      const person = personOf({ user: user('11', changes), userIdentity });
      return [person?.followRole, person?.isModerator, person?.isSubscriber, person?.teamMemberLevel];
    };
    expect(roles({})).toEqual(['NONE', false, false, 0]);
    expect(roles({ followInfo: { followStatus: '1' } })).toEqual(['FOLLOWER', false, false, 0]);
    expect(roles({ followInfo: { followStatus: 2 } })).toEqual(['FRIEND', false, false, 0]);
    expect(roles({}, { isFollowerOfAnchor: true, isModeratorOfAnchor: true })).toEqual([
      'FOLLOWER',
      true,
      false,
      0,
    ]);
    expect(roles({}, { isMutualFollowingWithAnchor: true, isSubscriberOfAnchor: true })).toEqual([
      'FRIEND',
      false,
      true,
      0,
    ]);
    expect(roles({ userAttr: { isAdmin: true }, subscribeInfo: { isSubscribedToAnchor: true } })).toEqual([
      'NONE',
      true,
      true,
      0,
    ]);
    expect(roles({ fansClub: { data: { level: 12, userFansClubStatus: 1 } } })).toEqual([
      'NONE',
      false,
      false,
      12,
    ]);
    expect(roles({ fansClub: { data: { level: 12, userFansClubStatus: 2 } } })).toEqual([
      'NONE',
      false,
      false,
      0,
    ]);
    expect(
      roles({ badgeList: [{ sceneType: 8 }, { sceneType: 10, privilegeLogExtra: { level: '7' } }] }),
    ).toEqual(['NONE', false, false, 7]);
  });

  it('keeps roles that likes and joins leave out, until a message that tells roles takes them away', () => {
    const normaliser = room();
    const meet = (rawType: string, data: Readonly<Record<string, unknown>>) => {
      const person = only(normaliser.accept([message(rawType, { user: user('11'), ...data })])).user;
      return [person?.followRole, person?.isModerator, person?.isSubscriber, person?.teamMemberLevel];
    };
    const identity = { isFollowerOfAnchor: true, isModeratorOfAnchor: true, isSubscriberOfAnchor: true };
    const badged = user('11', { badgeList: [{ sceneType: 10, privilegeLogExtra: { level: '7' } }] });
    expect(meet('WebcastLikeMessage', { total: '1' })).toEqual(['NONE', false, false, 0]);
    expect(meet('WebcastChatMessage', { user: badged, userIdentity: identity })).toEqual([
      'FOLLOWER',
      true,
      true,
      7,
    ]);
    expect(meet('WebcastLikeMessage', { total: '1' })).toEqual(['FOLLOWER', true, true, 7]);
    expect(meet('WebcastMemberMessage', { action: 1 })).toEqual(['FOLLOWER', true, true, 7]);
    expect(meet('WebcastChatMessage', { userIdentity: {} })).toEqual(['NONE', false, false, 0]);
    expect(meet('WebcastLikeMessage', { total: '1' })).toEqual(['NONE', false, false, 0]);
  });

  it('of a treasure chest is who was met before under the id it names, else nobody', () => {
    const normaliser = room();
    normaliser.accept([message('WebcastChatMessage', { user: user('11'), content: 'x' })]);
    const chest = (sendUserId: string) =>
      only(
        normaliser.accept([
          message('WebcastEnvelopeMessage', { envelopeInfo: { envelopeId: '5', sendUserId } }),
        ]),
      );
    expect([chest('11').user, chest('12').user, chest('0').user]).toEqual([eventUser('11'), null, null]);
  });

  it('[T-S7] shows text without controls and pictures from web addresses only', () => {
    const person = personOf({
      user: user('11', {
        nickname: 'A\u202Enna\u0000\n\uD800B',
        displayId: 'h'.repeat(500),
        avatarThumb: { urlList: ['javascript:alert(1)', 'https://a b', 'http://127.0.0.1:9/ok.png'] },
      }),
    });
    expect(person).toMatchObject({
      displayName: 'Anna \uFFFDB',
      uniqueId: 'h'.repeat(64),
      avatarUrl: 'http://127.0.0.1:9/ok.png',
    });
  });
});

describe('text', () => {
  const chat = (content: unknown) => said('WebcastChatMessage', { content }).payload;

  it('is cut at 1,000 without halving a character', () => {
    expect(chat('x'.repeat(5_000))).toMatchObject({ message: 'x'.repeat(1_000) });
    expect(chat(`${'x'.repeat(999)}😀`)).toMatchObject({ message: 'x'.repeat(999) });
    expect(chat(`${'x'.repeat(998)}😀`)).toMatchObject({ message: `${'x'.repeat(998)}😀` });
  });

  it('keeps what people write: emoji joined by invisible characters, right-to-left scripts, markup', () => {
    for (const text of ['👩‍👩‍👧', 'שלום', 'مرحبا', '<b>&amp;</b>', 'e\u0301'])
      expect(chat(text)).toMatchObject({ message: text });
  });

  it('is always well-formed and free of controls, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1_200 }), fc.nat(65_535), (text, unit) => {
        const { message: kept } = chat(text + String.fromCharCode(unit)) as { message: string };
        expect(kept.isWellFormed()).toBe(true);
        expect(kept).not.toMatch(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u);
        expect(kept.length).toBeLessThanOrEqual(1_000);
      }),
    );
  });
});

describe('the time of an event', () => {
  const at = (createTime: number | string, changes: Partial<SourceMessage> = {}) =>
    only(room().accept([message('WebcastChatMessage', { common: common(createTime) }, changes)])).timestamp;

  it('is the provider’s, in milliseconds also where it tells seconds', () => {
    expect(at(NOW - 1_234)).toBe(NOW - 1_234);
    expect(at(NOW / 1_000 - 60)).toBe(NOW - 60_000);
  });

  it('is that of the message id, else of the arrival, when the provider’s cannot be true', () => {
    const withTime = { messageId: String((BigInt(NOW / 1_000) << 32n) + 5n) };
    for (const nonsense of [0, '', 'soon', -5, NOW + 60 * 60_000, NOW - 48 * 60 * 60_000, 9e18, '1e400']) {
      expect(at(nonsense, withTime)).toBe(NOW);
      expect(at(nonsense, { messageId: 'x' })).toBe(NOW);
      expect(at(nonsense, { messageId: '9'.repeat(20) })).toBe(NOW);
    }
    expect(at(0, { ...withTime, receivedAt: NOW + 30_000 })).toBe(NOW);
  });

  it('stays the original in a replay, received now', () => {
    const longAgo = NOW - 400 * 24 * 60 * 60_000;
    const chat = message('WebcastChatMessage', { common: common(longAgo) }, { receivedAt: longAgo + 200 });
    const draft = only(room({ source: 'REPLAY' }).accept([chat]));
    expect([draft.timestamp, draft.ingestedAt, draft.source]).toEqual([longAgo, NOW, 'REPLAY']);
  });
});

describe('the id of an event', () => {
  const chat = (changes: Partial<SourceMessage>) => message('WebcastChatMessage', { content: 'x' }, changes);
  const idIn = (changes: Parameters<typeof room>[0], of: Partial<SourceMessage> = {}) =>
    only(room(changes).accept([chat(of)])).eventId;

  it('is the same across reconnects, and new in each replay', () => {
    expect(idIn({ sessionId: OTHER_SESSION })).toBe(idIn({}));
    const replay = idIn({ source: 'REPLAY' });
    expect(replay).not.toBe(idIn({}));
    expect(idIn({ source: 'REPLAY', sessionId: OTHER_SESSION })).not.toBe(replay);
  });

  it('is the place in the session where the provider gives none', () => {
    for (const messageId of [null, '', '0']) {
      const ids = drafts(room().accept([chat({ messageId }), chat({ messageId })])).map(
        (draft) => draft.eventId,
      );
      expect(new Set(ids).size).toBe(2);
      expect(
        drafts(room().accept([chat({ messageId }), chat({ messageId })])).map((draft) => draft.eventId),
      ).toEqual(ids);
    }
  });
});

describe('likes', () => {
  it('total the highest value seen in the stream, also over a restart; the count of a message is a sample', () => {
    const bus = new RecordingBus();
    const like = (total: string, messageId: string) =>
      message('WebcastLikeMessage', { count: 15, total, user: user(VIEWER) }, { messageId });
    const totals = (batch: ReturnType<ReturnType<typeof room>['accept']>) => {
      bus.append(batch);
      return drafts(batch).map((draft) => (draft.eventType === 'LIKE' ? draft.payload.totalLikeCount : null));
    };
    expect(
      totals(room().accept([like('100', '1'), like('90', '2'), like('120', '3'), like('0', '4')])),
    ).toEqual([100, 100, 120, 120]);
    const restored = restoreState({
      streamId: STREAM,
      busState: bus.state,
      storedGifts: [],
      storedLikesMax: 110,
    });
    expect([restored.likesMax, restored.lastArrivedAt]).toEqual([120, NOW]);
    expect(totals(room({ restored }).accept([like('115', '5')]))).toEqual([120]);
  });

  it('are not held up by a total that cannot be', () => {
    const like = (total: unknown) => message('WebcastLikeMessage', { count: 1, total });
    const all = drafts(room().accept([like('9223372036854775807'), like('5'), like('x')]));
    expect(all.map((draft) => draft.payload)).toEqual([
      { likeCount: 1, totalLikeCount: 0 },
      { likeCount: 1, totalLikeCount: 5 },
      { likeCount: 1, totalLikeCount: 5 },
    ]);
  });
});

describe('a message that cannot be read', () => {
  it('of an unknown type is kept RAW with its size alone', () => {
    const bytes = new TextEncoder().encode('secret name');
    const draft = only(room().accept([message('WebcastNew', {}, { content: { kind: 'UNKNOWN', bytes } })]));
    expect(draft.payload).toEqual({ rawType: 'WebcastNew', data: { byteLength: 11 } });
  });

  it('goes to the dead letters with one line of reason, and the others go on', () => {
    const bytes = new Uint8Array([1, 2]);
    const error = `index out of range${'!'.repeat(500)}\nBase64 - Use this to create an issue: c2VjcmV0`;
    const batch = room().accept([
      message('WebcastChatMessage', { content: 'before' }, { messageId: '1' }),
      message('WebcastGiftMessage', {}, { messageId: '2', content: { kind: 'UNDECODABLE', bytes, error } }),
      message('WebcastChatMessage', { content: 'after' }, { messageId: '3' }),
    ]);
    expect(drafts(batch).map((draft) => draft.payload)).toMatchObject([
      { message: 'before' },
      { message: 'after' },
    ]);
    expect(batch.undecodable).toEqual([
      { rawType: 'WebcastGiftMessage', messageId: '2', bytes, error: error.slice(0, 200) },
    ]);
  });

  it('for a reason that nobody thought of is kept RAW; what cannot even be looked at goes to the dead letters', () => {
    const trap = () => {
      throw new RangeError('a secret name');
    };
    let isFirst = true;
    const brokenOnce = {
      content: 'x',
      get emotes() {
        if (!isFirst) return [];
        isFirst = false;
        return trap();
      },
    };
    const batch = room().accept([
      message('WebcastLinkMicArmies', new Proxy({}, { get: trap, ownKeys: trap })),
      message('WebcastChatMessage', brokenOnce),
    ]);
    expect(batch.undecodable).toEqual([
      {
        rawType: 'WebcastLinkMicArmies',
        messageId: '7290000000000000001',
        bytes: new Uint8Array(0),
        error: 'RangeError',
      },
    ]);
    expect(only(batch).payload).toEqual({ rawType: 'WebcastChatMessage', data: { content: '[redacted]' } });
  });

  it('never makes accept throw, and always gives one answer', () => {
    const types = [
      'WebcastChatMessage',
      'WebcastGiftMessage',
      'WebcastLikeMessage',
      'WebcastMemberMessage',
      'WebcastSocialMessage',
      'WebcastSubNotifyMessage',
      'WebcastEmoteChatMessage',
      'WebcastLinkMicBattle',
      'WebcastLinkMicArmies',
      'WebcastRoomUserSeqMessage',
      'WebcastControlMessage',
      'WebcastImDeleteMessage',
      'WebcastQuestionNewMessage',
      'WebcastEnvelopeMessage',
      'WebcastBarrageMessage',
      '__proto__',
      'constructor',
      '',
    ];
    const keys = [
      'common',
      'user',
      'content',
      'emotes',
      'gift',
      'giftId',
      'groupId',
      'repeatCount',
      'repeatEnd',
      'toUser',
      'total',
      'count',
      'action',
      'data',
      'armies',
      'anchorsInfo',
      'battleId',
      'envelopeInfo',
      'deleteUserIds',
      'emoteList',
      'displayText',
      'createTime',
      'id',
      'nickname',
      '__proto__',
      'constructor',
      'toString',
      'toJSON',
    ];
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        fc.constantFrom(null, undefined, '', '0', '1', '77', NaN, -1, 1e300, 3, 4, true, 12n),
        fc.string({ unit: 'binary' }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 6 }),
      ),
      data: fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 8 }),
    }));
    fc.assert(
      fc.property(fc.constantFrom(...types), tree.data, (rawType, data) => {
        const batch = room().accept([message(rawType, data as Record<string, unknown>)]);
        expect(batch.undecodable).toEqual([]);
        expect(batch.items.length).toBeGreaterThanOrEqual(1);
        for (const { draft } of batch.items) JSON.stringify(draft);
      }),
      { numRuns: 2_000 },
    );
    expect({}.constructor).toBe(Object);
  });
});

describe('events about the connection', () => {
  it('say what happened, once per session', () => {
    const { lifecycle } = room({ development: false });
    expect(
      [
        lifecycle.connected(),
        lifecycle.disconnected({ code: 1_006, reason: 'gone\n', willReconnect: true }),
        lifecycle.error({ code: 'SIGN_SERVER', error: new Error('no answer') }),
        lifecycle.streamEnded('SUSPENDED'),
      ].map((item) => [item?.draft.eventType, item?.draft.user, item?.draft.payload]),
    ).toEqual([
      ['CONNECTED', null, { provider: 'TIKTOK' }],
      ['DISCONNECTED', null, { code: 1_006, reason: 'gone ', willReconnect: true }],
      ['ERROR', null, { message: 'no answer', code: 'SIGN_SERVER', stack: null }],
      ['STREAM_END', null, { reason: 'SUSPENDED' }],
    ]);
    expect(room().lifecycle.connected().draft.eventId).toBe(lifecycle.connected().draft.eventId);
    expect(room({ sessionId: OTHER_SESSION }).lifecycle.connected().draft.eventId).not.toBe(
      lifecycle.connected().draft.eventId,
    );
  });

  it('show a stack in development only', () => {
    const error = new Error('no answer');
    const { payload } = room({ development: true }).lifecycle.error({ code: 'X', error }).draft;
    expect(payload).toMatchObject({ stack: expect.stringContaining('normaliser.test.ts') });
  });

  it('end a stream once, whoever says it first', () => {
    const told = room();
    told.accept([message('WebcastControlMessage', { action: 3 })]);
    expect(told.lifecycle.streamEnded('ENDED')).toBeNull();
    const ours = room();
    expect(ours.lifecycle.streamEnded('ENDED')?.draft.eventType).toBe('STREAM_END');
    expect(ours.lifecycle.streamEnded('ENDED')).toBeNull();
    expect(only(ours.accept([message('WebcastControlMessage', { action: 3 })])).eventType).toBe('RAW');
  });
});
