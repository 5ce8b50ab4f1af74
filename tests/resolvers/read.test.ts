import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, type MemberId, newId, uuidFromId } from '../../src/lib/ids.ts';
import { sealContext } from '../../src/privacy/context.ts';
import { seal } from '../../src/privacy/envelope.ts';
import { createVault } from '../../src/privacy/vault.ts';
import {
  chatAt,
  eventAt,
  giftAt,
  type Recording,
  record,
  recordSession,
  recordStream,
  STARTED_AT,
  viewer,
} from '../events/support/recorded.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';

let fixture: ApiFixture;
let channelId: ChannelId;
let recording: Recording;
let members: ReadonlyMap<string, MemberId>;
const at = (ms: number) => new Date(STARTED_AT + ms).toISOString();

beforeAll(async () => {
  fixture = await startApiFixture();
  ({ id: channelId } = await fixture.channel('reader.one'));
  recording = await recordStream(fixture.db, { channelId });
  const events = [
    eventAt(recording, { type: 'CONNECTED', atMs: 0, sequence: 1, payload: { provider: 'TIKTOK' } }),
    chatAt(recording, { atMs: 1_000, sequence: 2, message: 'Good evening', user: viewer(1) }),
    giftAt(recording, { atMs: 2_000, sequence: 3, coins: 5, user: viewer(2), toUserId: '99' }),
    chatAt(recording, { atMs: 3_000, sequence: 4, message: 'good night', user: viewer(2) }),
    giftAt(recording, { atMs: 4_000, sequence: 5, coins: 500, user: viewer(1) }),
    eventAt(recording, {
      type: 'LIKE',
      atMs: 5_000,
      sequence: 6,
      payload: { likeCount: 3, totalLikeCount: 4_000_000_000 },
      user: viewer(1),
    }),
  ];
  members = await record(fixture, events);
});
afterAll(() => fixture[Symbol.asyncDispose]());

const EVENTS = `query ($id: ID!, $first: Int! = 20, $after: String, $order: EventOrder!, $filter: EventHistoryFilter) {
  channel(id: $id) {
    events(first: $first, after: $after, order: $order, filter: $filter) {
      edges { cursor node { sequence } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;

/** The sequences of a page of the channel's events, oldest first unless told otherwise. */
async function sequences(variables: object, query = EVENTS): Promise<number[]> {
  const { data, errors } = await fixture.ask(query, { id: channelId, order: 'OLDEST_FIRST', ...variables });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.channel.events.edges.map(({ node }: { node: { sequence: number } }) => node.sequence);
}

describe('events of a channel', () => {
  it('page through in both directions, each once, to the last', async () => {
    for (const order of ['OLDEST_FIRST', 'NEWEST_FIRST']) {
      const seen: number[] = [];
      let after: string | null = null;
      for (let page = 1; ; page += 1) {
        const { data } = await fixture.ask(EVENTS, { id: channelId, order, first: 4, after });
        const { edges, pageInfo } = data.channel.events;
        seen.push(...edges.map(({ node }: { node: { sequence: number } }) => node.sequence));
        expect(pageInfo).toEqual({
          hasNextPage: page === 1,
          hasPreviousPage: page === 2,
          startCursor: edges[0].cursor,
          endCursor: edges.at(-1).cursor,
        });
        after = pageInfo.endCursor;
        if (!pageInfo.hasNextPage) break;
      }
      expect(seen).toEqual(order === 'OLDEST_FIRST' ? [1, 2, 3, 4, 5, 6] : [6, 5, 4, 3, 2, 1]);
    }
  });

  it('are filtered by type, time, member and coins', async () => {
    expect(await sequences({ filter: { types: ['CHAT', 'LIKE'] } })).toEqual([2, 4, 6]);
    expect(await sequences({ filter: { types: [] } })).toEqual([]);
    expect(await sequences({ filter: { from: at(2_000), to: at(4_000) } })).toEqual([3, 4]);
    expect(await sequences({ filter: { memberId: members.get(viewer(2).userId) } })).toEqual([3, 4]);
    expect(await sequences({ filter: { memberId: newId('member', 1) } })).toEqual([]);
    expect(await sequences({ filter: { memberId: 'nonsense' } })).toEqual([]);
    expect(await sequences({ filter: { types: ['GIFT'], minimumCoins: '6' } })).toEqual([5]);
    expect(await sequences({ filter: { types: ['GIFT', 'CHAT'], minimumCoins: '6' } })).toEqual([2, 4, 5]);
    expect(await sequences({ filter: null })).toEqual([1, 2, 3, 4, 5, 6]);
    expect(
      await sequences({ filter: { types: null, from: null, to: null, memberId: null, minimumCoins: null } }),
    ).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('refuse a cursor of another list, and text search outside a session', async () => {
    for (const after of [
      'nonsense',
      Buffer.from(`${STARTED_AT}.${recording.streamId}`).toString('base64url'),
    ]) {
      const { errors } = await fixture.ask(EVENTS, { id: channelId, order: 'OLDEST_FIRST', after });
      expect(errors[0].extensions.code).toBe('BAD_USER_INPUT');
    }
    const { errors } = await fixture.ask(EVENTS, {
      id: channelId,
      order: 'OLDEST_FIRST',
      filter: { text: 'x' },
    });
    expect(errors[0].extensions.code).toBe('SEARCH_NEEDS_SESSION');
  });
});

describe('a page of events', () => {
  it('costs one statement more for people, none for each of them', async () => {
    const statements = async (fields: string, fragment = '') => {
      await fixture.ask('{ __typename }'); // who asks is known for a few seconds from now
      const before = fixture.statements();
      const query = `query ($id: ID!) { channel(id: $id) { events { edges { node { ${fields} } } } } } ${fragment}`;
      expect((await fixture.ask(query, { id: channelId })).errors).toBeUndefined();
      return fixture.statements() - before;
    };
    // The channel, the page. Data keys are in the vault's cache.
    expect(await statements('sequence')).toBe(2);
    const words = 'fragment words on Event { actor { displayName } ... on ChatEvent { message } }';
    expect(await statements('...words', words)).toBe(3);
    expect(await statements('actor { member { handle channel { id } } }')).toBe(4);
  });
});

describe('an event', () => {
  it('shows all that was stored, whole values', async () => {
    const { data } = await fixture.ask(
      `query ($id: ID!) { channel(id: $id) { events(first: 3, order: OLDEST_FIRST, filter: { types: [CHAT, GIFT, LIKE] }) { edges { node {
        __typename type occurredAt ingestedAt sequence source history
        actor { alias displayName handle avatarUrl followRole isModerator isSubscriber teamMemberLevel externalId member { id handle } }
        stream { id } session { id }
        ... on ChatEvent { message language emotes { emoteId } }
        ... on GiftEvent { giftId giftName coins diamondCount giftCount streakId streakCount streakCoins streakActive streakEnd isGiftStreak giftImageUrl receiverExternalId }
      } } } } }`,
      { id: channelId },
    );
    const actor = (number: number) => ({
      alias: fixture.vault.alias({ channelId, userId: viewer(number).userId }),
      displayName: `Viewer ${number}`,
      handle: `viewer_${number}`,
      avatarUrl: `https://p16.example/${number}.webp`,
      followRole: 'FOLLOWER',
      isModerator: false,
      isSubscriber: true,
      teamMemberLevel: number,
      externalId: viewer(number).userId,
      member: { id: members.get(viewer(number).userId), handle: `viewer_${number}` },
    });
    const common = {
      source: 'LIVE',
      history: false,
      stream: { id: recording.streamId },
      session: { id: recording.sessionId },
    };
    const [first, second] = data.channel.events.edges.map(({ node }: { node: object }) => node);
    expect(first).toEqual({
      __typename: 'ChatEvent',
      type: 'CHAT',
      occurredAt: at(1_000),
      ingestedAt: at(1_040),
      sequence: 2,
      ...common,
      actor: actor(1),
      message: 'Good evening',
      language: 'en',
      emotes: [],
    });
    expect(second).toEqual({
      __typename: 'GiftEvent',
      type: 'GIFT',
      occurredAt: at(2_000),
      ingestedAt: at(2_040),
      sequence: 3,
      ...common,
      actor: actor(2),
      giftId: '5655',
      giftName: 'Rose',
      coins: '5',
      diamondCount: '5',
      giftCount: 1,
      streakId: 'streak-3',
      streakCount: 1,
      streakCoins: '5',
      streakActive: false,
      streakEnd: true,
      isGiftStreak: false,
      giftImageUrl: null,
      receiverExternalId: '99',
    });
  });

  it('holds counts that Int cannot', async () => {
    const { data } = await fixture.ask(
      'query ($id: ID!) { channel(id: $id) { events(filter: { types: [LIKE] }) { edges { node { ... on LikeEvent { totalLikeCount } } } } } }',
      { id: channelId },
    );
    expect(data.channel.events.edges[0].node).toEqual({ totalLikeCount: 4_000_000_000 });
  });

  it('is found again by its id, and everything else by its', async () => {
    const { data } = await fixture.ask(
      'query ($id: ID!) { channel(id: $id) { events { edges { node { id } } } } }',
      { id: channelId },
    );
    const [eventId] = data.channel.events.edges.map(({ node }: { node: { id: string } }) => node.id);
    expect(eventId).toMatch(/^evt_[0-9a-f]{76}$/);
    const ids = [
      eventId,
      channelId,
      recording.streamId,
      recording.sessionId,
      members.get(viewer(1).userId),
      `evt_${'0'.repeat(76)}`,
      'nonsense',
    ];
    const answer = await fixture.ask('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', { ids });
    expect(answer.data.nodes).toEqual([
      { __typename: 'LikeEvent', id: eventId },
      { __typename: 'Channel', id: channelId },
      { __typename: 'Stream', id: recording.streamId },
      { __typename: 'Session', id: recording.sessionId },
      { __typename: 'AudienceMember', id: members.get(viewer(1).userId) },
      null,
      null,
    ]);
    expect(
      (await fixture.ask('query ($id: ID!) { node(id: $id) { __typename } }', { id: eventId })).data.node,
    ).toEqual({ __typename: 'LikeEvent' });
  });

  it('[T-I1] loses name and words when the person is erased, and still counts', async () => {
    const other = await recordStream(fixture.db, { channelId: (await fixture.channel('reader.erased')).id });
    // Another process stored it: this one has never seen the key, which it may keep for a minute otherwise.
    const vault = createVault({ db: fixture.db, masterKey: fixture.masterKey, clock: systemClock });
    const known = await record({ db: fixture.db, vault }, [
      chatAt(other, { atMs: 0, sequence: 1, message: 'forget me', user: viewer(77) }),
    ]);
    const memberId = known.get(viewer(77).userId);
    if (memberId === undefined) throw new Error('a member was recorded');
    const uuid = uuidFromId(memberId);
    await fixture.db.deleteFrom('subject_key').where('subject_id', '=', uuid).execute();
    await fixture.db.deleteFrom('audience_member').where('id', '=', uuid).execute();
    const answer = await fixture.ask(
      'query ($id: ID!) { channel(id: $id) { events { edges { node { sequence actor { displayName } ... on ChatEvent { message } } } } } }',
      { id: other.channelId },
    );
    expect(answer.data.channel.events.edges).toEqual([{ node: { sequence: 1, actor: null, message: null } }]);
  });
});

describe('an audience member', () => {
  it('is found by handle in any form, with every handle they had', async () => {
    const memberId = members.get(viewer(1).userId);
    if (memberId === undefined) throw new Error('a member was recorded');
    const key = (await fixture.vault.dataKeys([memberId], { create: false })).get(memberId);
    if (key === undefined) throw new Error('a member has a key');
    for (const [index, handle] of ['older.handle', 'old.handle', 'viewer_1'].entries()) {
      const handleHash = fixture.vault.handleHash({ channelId, handle });
      await fixture.db
        .insertInto('member_handle')
        .values({
          member_id: memberId.slice(4),
          handle_hash: handleHash,
          handle: seal(key, sealContext.handle(memberId, handleHash), handle),
          first_seen_at: new Date(STARTED_AT + index),
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    const query = `query ($id: ID!, $handle: String!, $after: String) { channel(id: $id) { members(handle: $handle) {
      id alias displayName externalId channel { id }
      handles(first: 2, after: $after) { edges { node { handle } } pageInfo { hasNextPage endCursor } }
      events(first: 2, order: OLDEST_FIRST) { edges { node { sequence } } }
    } } }`;
    for (const handle of ['viewer_1', '@Viewer_1', ' VIEWER_1 ']) {
      const { data } = await fixture.ask(query, { id: channelId, handle });
      expect(data.channel.members).toEqual([
        {
          id: memberId,
          alias: fixture.vault.alias({ channelId, userId: viewer(1).userId }),
          displayName: 'Viewer 1',
          externalId: viewer(1).userId,
          channel: { id: channelId },
          handles: {
            edges: [{ node: { handle: 'older.handle' } }, { node: { handle: 'old.handle' } }],
            pageInfo: { hasNextPage: true, endCursor: expect.any(String) },
          },
          events: { edges: [{ node: { sequence: 2 } }, { node: { sequence: 5 } }] },
        },
      ]);
      const after = data.channel.members[0].handles.pageInfo.endCursor;
      const next = await fixture.ask(query, { id: channelId, handle, after });
      expect(next.data.channel.members[0].handles).toEqual({
        edges: [{ node: { handle: 'viewer_1' } }],
        pageInfo: { hasNextPage: false, endCursor: expect.any(String) },
      });
    }
    const unknown = await fixture.ask(query, { id: channelId, handle: 'nobody' });
    expect(unknown.data.channel.members).toEqual([]);
  });
});

describe('a session', () => {
  it('is searched by words in any case and order', async () => {
    const query = `query ($id: ID!, $text: String!) { session(id: $id) { events(order: OLDEST_FIRST, filter: { text: $text }) { edges { node { sequence } } } } }`;
    const search = async (text: string) => {
      const { data } = await fixture.ask(query, { id: recording.sessionId, text });
      return data.session.events.edges.map(({ node }: { node: { sequence: number } }) => node.sequence);
    };
    expect(await search('GOOD')).toEqual([2, 4]);
    expect(await search('night good')).toEqual([4]);
    expect(await search('morning')).toEqual([]);
  });

  it('that is a replay tells of what and how far', async () => {
    const replay = await recordSession(fixture.db, {
      channelId,
      streamId: recording.streamId,
      startedAt: STARTED_AT + 86_400_000,
      endedAt: null,
      replayOf: recording.sessionId,
    });
    await fixture.db
      .updateTable('session')
      .set({ replay_total: 6, replay_done: 2, replay_speed: 2.5 })
      .where('id', '=', uuidFromId(replay))
      .execute();
    const query = `query ($id: ID!) { session(id: $id) { source state endedAt stream { id sessions(first: 1) { edges { node { id } } pageInfo { hasNextPage } } } replay { original { id } speed eventsTotal eventsDone cancelRequested } } }`;
    const { data } = await fixture.ask(query, { id: replay });
    expect(data.session).toEqual({
      source: 'REPLAY',
      state: 'LIVE',
      endedAt: null,
      stream: {
        id: recording.streamId,
        sessions: { edges: [{ node: { id: replay } }], pageInfo: { hasNextPage: true } },
      },
      replay: {
        original: { id: recording.sessionId },
        speed: 2.5,
        eventsTotal: 6,
        eventsDone: 2,
        cancelRequested: false,
      },
    });
    const live = await fixture.ask(query, { id: recording.sessionId });
    expect(live.data.session.replay).toBeNull();
  });
});

describe('a stream', () => {
  it('shows its counters, minutes, gifters and gaps page by page', async () => {
    const id = uuidFromId(recording.streamId);
    const minute = (index: number) => new Date(STARTED_AT + index * 60_000);
    await fixture.db
      .insertInto('stream_total')
      .values({
        stream_id: id,
        channel_id: uuidFromId(channelId),
        events: 6,
        chats: 2,
        gifts: 2,
        coins: 505,
        likes_max: 4_000_000_000,
        last_sequence: 6,
        last_event_at: minute(2),
      })
      .execute();
    await fixture.db
      .insertInto('stream_minute')
      .values([0, 1, 5].map((index) => ({ stream_id: id, minute: minute(index), events: index })))
      .execute();
    await fixture.db
      .insertInto('stream_gifter')
      .values(
        [1, 2].map((number) => ({
          stream_id: id,
          member_id: members.get(viewer(number).userId)?.slice(4) ?? '',
          gifts: 1,
          coins: number === 1 ? 500 : 5,
          last_gift_at: minute(0),
        })),
      )
      .execute();
    for (const index of [0, 1]) {
      await fixture.db
        .insertInto('stream_gap')
        .values({
          id: uuidFromId(newId('gap', index)),
          stream_id: id,
          channel_id: uuidFromId(channelId),
          from_at: minute(index * 10),
          to_at: index === 0 ? minute(1) : null,
          reason: 'DISCONNECTED',
        })
        .execute();
    }
    const query = `query ($id: ID!, $minutes: String, $gifters: String, $gaps: String) { stream(id: $id) {
      totals { events chats gifts coins likes lastSequence lastEventAt viewersNow }
      minutes(first: 2, after: $minutes) { edges { node { minute events } } pageInfo { hasNextPage endCursor } }
      topGifters(first: 1, after: $gifters) { edges { node { coins member { handle } } } pageInfo { hasNextPage endCursor } }
      gaps(first: 1, after: $gaps) { edges { node { from to reason stream { id } } } pageInfo { hasNextPage endCursor } }
    } }`;
    const first = (await fixture.ask(query, { id: recording.streamId })).data.stream;
    expect(first.totals).toEqual({
      events: 6,
      chats: 2,
      gifts: 2,
      coins: '505',
      likes: 4_000_000_000,
      lastSequence: 6,
      lastEventAt: at(120_000),
      viewersNow: 0,
    });
    const second = (
      await fixture.ask(query, {
        id: recording.streamId,
        minutes: first.minutes.pageInfo.endCursor,
        gifters: first.topGifters.pageInfo.endCursor,
        gaps: first.gaps.pageInfo.endCursor,
      })
    ).data.stream;
    const nodes = (name: string) =>
      [first, second].map((page) => [
        page[name].edges.map(({ node }: { node: object }) => node),
        page[name].pageInfo.hasNextPage,
      ]);
    expect(nodes('minutes')).toEqual([
      [
        [
          { minute: at(0), events: 0 },
          { minute: at(60_000), events: 1 },
        ],
        true,
      ],
      [[{ minute: at(300_000), events: 5 }], false],
    ]);
    expect(nodes('topGifters')).toEqual([
      [[{ coins: '500', member: { handle: 'viewer_1' } }], true],
      [[{ coins: '5', member: { handle: 'viewer_2' } }], false],
    ]);
    const stream = { id: recording.streamId };
    expect(nodes('gaps')).toEqual([
      [[{ from: at(0), to: at(60_000), reason: 'DISCONNECTED', stream }], true],
      [[{ from: at(600_000), to: null, reason: 'DISCONNECTED', stream }], false],
    ]);
    const range = await fixture.ask(
      'query ($id: ID!, $from: DateTime, $to: DateTime) { stream(id: $id) { minutes(from: $from, to: $to) { edges { node { events } } } } }',
      { id: recording.streamId, from: at(60_000), to: at(300_000) },
    );
    expect(range.data.stream.minutes.edges).toEqual([{ node: { events: 1 } }]);
  });

  it('reads a page of streams with everything around it in few statements', async () => {
    const channel = await fixture.channel('reader.many');
    for (let day = 0; day < 30; day += 1)
      await recordStream(fixture.db, { channelId: channel.id, startedAt: STARTED_AT - day * 86_400_000 });
    const query = `query ($id: ID!, $after: String) { channel(id: $id) { streams(first: 20, after: $after) { edges { node { id startedAt totals { events } channel { id } } } pageInfo { hasNextPage endCursor } } } }`;
    await fixture.ask('{ __typename }'); // who asks is known for a few seconds from now
    const before = fixture.statements();
    const one = (await fixture.ask(query, { id: channel.id })).data.channel.streams;
    // The channel, the page of streams, their totals. The channel of each is the one already loaded.
    expect(fixture.statements() - before).toBe(3);
    const two = (await fixture.ask(query, { id: channel.id, after: one.pageInfo.endCursor })).data.channel
      .streams;
    const times = [...one.edges, ...two.edges].map(({ node }) => Date.parse(node.startedAt));
    expect(times).toEqual(Array.from({ length: 30 }, (_, day) => STARTED_AT - day * 86_400_000));
    expect([one.pageInfo.hasNextPage, two.pageInfo.hasNextPage]).toEqual([true, false]);
    expect(one.edges[0].node).toMatchObject({ totals: { events: 0 }, channel: { id: channel.id } });
  });
});

describe('channels', () => {
  it('are listed in the order they were made, and found by handle in any form', async () => {
    const query =
      'query ($after: String) { channels(first: 2, after: $after) { edges { node { handle } } pageInfo { hasNextPage endCursor } } }';
    const handles: string[] = [];
    let after: string | null = null;
    do {
      const { data } = await fixture.ask(query, { after });
      handles.push(...data.channels.edges.map(({ node }: { node: { handle: string } }) => node.handle));
      after = data.channels.pageInfo.hasNextPage ? data.channels.pageInfo.endCursor : null;
    } while (after !== null);
    const rows = await fixture.db.selectFrom('channel').select('handle').orderBy('id').execute();
    expect(handles).toEqual(rows.map(({ handle }) => handle));
    const found = await fixture.ask(
      '{ a: channelByHandle(handle: " @Reader.One") { id } b: channelByHandle(handle: "nobody") { id } }',
    );
    expect(found.data).toEqual({ a: { id: channelId }, b: null });
  });

  it('[T-I4] take text that cannot be a handle for one nobody has, also what the database would choke on', async () => {
    const query = 'query ($handle: String!) { channelByHandle(handle: $handle) { id } }';
    for (const handle of ['', 'a\u0000b', '\ud800x', "' or 1=1 --", 'x'.repeat(100_000)]) {
      expect(await fixture.ask(query, { handle })).toMatchObject({ data: { channelByHandle: null } });
      expect((await fixture.ask(query, { handle })).errors).toBeUndefined();
    }
  });

  it('tell why nothing is seen, link by link', async () => {
    const { data } = await fixture.ask(
      'query ($id: ID!) { pipelineHealth(channelId: $id) { link state advice } }',
      { id: channelId },
    );
    expect(data.pipelineHealth.map(({ link }: { link: string }) => link)).toEqual([
      'DATABASE',
      'BUS',
      'PROVIDER',
      'SIGN_SERVICE',
      'ROOM',
      'EVENTS',
      'STORAGE',
      'SUBSCRIBERS',
      'OVERLAY',
    ]);
    expect(data.pipelineHealth[0]).toEqual({ link: 'DATABASE', state: 'OK', advice: null });
    expect(
      (await fixture.ask('{ pipelineHealth(channelId: "chn_00000000000000000000000000000000") { link } }'))
        .data,
    ).toEqual({ pipelineHealth: null });
  });
});
