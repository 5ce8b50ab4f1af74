import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, uuidFromId } from '../../src/lib/ids.ts';
import { chatAt, record, recordStream } from '../events/support/recorded.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApiFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const CONNECT = `mutation ($input: ChannelConnectInput!) { channelConnect(input: $input) {
  __typename
  ... on ChannelConnectPayload { channel { handle provider wanted connection { state } } }
  ... on UserError { code message }
  ... on InvalidInputError { issues { path code } }
} }`;
const DISCONNECT = `mutation ($input: ChannelDisconnectInput!) { channelDisconnect(input: $input) {
  __typename ... on ChannelDisconnectPayload { channel { id wanted } } ... on UserError { code message }
} }`;
const REPLAY = `mutation ($input: SessionReplayInput!) { sessionReplay(input: $input) {
  __typename
  ... on SessionReplayPayload { session { source state replay { original { id } speed eventsDone } } }
  ... on UserError { code message }
  ... on InvalidInputError { issues { path code } }
} }`;
const CANCEL = `mutation ($input: SessionReplayCancelInput!) { sessionReplayCancel(input: $input) {
  __typename ... on SessionReplayCancelPayload { session { id state } } ... on UserError { code message }
} }`;

describe('channelConnect', () => {
  it('makes a channel once, however often and however written, and tells ingest', async () => {
    const told: string[] = [];
    const unlisten = await fixture.bus.listen('channels', (payload) => told.push(payload));
    for (const handle of ['New.Streamer', '@new.streamer', ' new.streamer ']) {
      const { data } = await fixture.ask(CONNECT, { input: { handle } });
      expect(data.channelConnect).toEqual({
        __typename: 'ChannelConnectPayload',
        channel: {
          handle: 'new.streamer',
          provider: 'TIKTOK',
          wanted: true,
          connection: { state: 'STOPPED' },
        },
      });
    }
    const rows = await fixture.db
      .selectFrom('channel')
      .select(['id'])
      .where('handle', '=', 'new.streamer')
      .execute();
    expect(rows).toHaveLength(1);
    expect(new Set(told.map((id) => id.slice(4)))).toEqual(
      new Set(rows.map(({ id }) => id.replaceAll('-', ''))),
    );
    expect(told).toHaveLength(3);
    await unlisten();
  });

  it('by two at the same time makes one channel', async () => {
    await Promise.all(
      Array.from({ length: 5 }, () => fixture.ask(CONNECT, { input: { handle: 'racing.streamer' } })),
    );
    const rows = await fixture.db
      .selectFrom('channel')
      .select('id')
      .where('handle', '=', 'racing.streamer')
      .execute();
    expect(rows).toHaveLength(1);
    const keys = await fixture.db
      .selectFrom('access_key')
      .select('id')
      .where('channel_id', '=', rows[0]?.id ?? '')
      .execute();
    expect(keys).toHaveLength(1);
  });

  it('refuses what cannot be a handle, and changes nothing', async () => {
    const before = await fixture.db.selectFrom('channel').selectAll().execute();
    for (const handle of [
      '',
      '@',
      'x',
      'with space',
      'https://www.tiktok.com/@x',
      'a'.repeat(25),
      "x'; drop table channel; --",
    ]) {
      const { data } = await fixture.ask(CONNECT, { input: { handle } });
      expect([handle, data.channelConnect]).toEqual([
        handle,
        {
          __typename: 'InvalidInputError',
          code: 'INVALID_INPUT',
          message: expect.stringContaining('2 to 24 letters'),
          issues: [{ path: ['handle'], code: 'INVALID_FORMAT' }],
        },
      ]);
    }
    expect(await fixture.db.selectFrom('channel').selectAll().execute()).toEqual(before);
  });
});

describe('channelDisconnect', () => {
  it('takes the wish away, and says when there is no such channel', async () => {
    const { id } = await fixture.channel('leaving.streamer');
    const { data } = await fixture.ask(DISCONNECT, { input: { channelId: id } });
    expect(data.channelDisconnect).toEqual({
      __typename: 'ChannelDisconnectPayload',
      channel: { id, wanted: false },
    });
    for (const channelId of [newId('channel', 1), 'nonsense', newId('stream', 1)]) {
      const answer = await fixture.ask(DISCONNECT, { input: { channelId } });
      expect(answer.data.channelDisconnect).toEqual({
        __typename: 'ChannelNotFoundError',
        code: 'CHANNEL_NOT_FOUND',
        message: 'There is no such channel.',
      });
    }
  });
});

describe('sessionReplay', () => {
  it('orders a replay of an ended session, and the replay can be cancelled', async () => {
    const { id: channelId } = await fixture.channel('replayed.streamer');
    const recording = await recordStream(fixture.db, { channelId });
    const input = { sessionId: recording.sessionId, speed: 2 };
    const empty = await fixture.ask(REPLAY, { input });
    expect(empty.data.sessionReplay).toMatchObject({ __typename: 'NoEventsError', code: 'NO_EVENTS' });
    await record(fixture, [chatAt(recording, { atMs: 0, sequence: 1, message: 'again' })]);
    const { data } = await fixture.ask(REPLAY, { input });
    expect(data.sessionReplay).toEqual({
      __typename: 'SessionReplayPayload',
      session: {
        source: 'REPLAY',
        state: 'LIVE',
        replay: { original: { id: recording.sessionId }, speed: 2, eventsDone: 0 },
      },
    });
    const replay = await fixture.db
      .selectFrom('session')
      .select('id')
      .where('replay_of', '=', uuidFromId(recording.sessionId))
      .executeTakeFirstOrThrow();
    const sessionId = `ses_${replay.id.replaceAll('-', '')}`;
    const cancelled = await fixture.ask(CANCEL, { input: { sessionId } });
    expect(cancelled.data.sessionReplayCancel).toMatchObject({
      __typename: 'SessionReplayCancelPayload',
      session: { id: sessionId },
    });
    const other = await fixture.ask(CANCEL, { input: { sessionId: recording.sessionId } });
    expect(other.data.sessionReplayCancel).toMatchObject({ __typename: 'ReplayNotRunningError' });
  });

  it('refuses what cannot be replayed, and orders nothing', async () => {
    const { id: channelId } = await fixture.channel('refused.streamer');
    const live = await recordStream(fixture.db, { channelId, endedAt: null });
    const count = async () => (await fixture.db.selectFrom('session').select('id').execute()).length;
    const before = await count();
    const refusals: unknown[] = [];
    for (const input of [
      { sessionId: live.sessionId },
      { sessionId: newId('session', 1) },
      { sessionId: 'nonsense' },
      { sessionId: live.sessionId, speed: 0 },
      { sessionId: live.sessionId, speed: 5_000 },
    ]) {
      const { data } = await fixture.ask(REPLAY, { input });
      refusals.push([data.sessionReplay.__typename, data.sessionReplay.issues?.[0]?.path]);
    }
    expect(refusals).toEqual([
      ['SessionStillLiveError', undefined],
      ['SessionNotFoundError', undefined],
      ['InvalidInputError', ['sessionId']],
      ['InvalidInputError', ['speed']],
      ['InvalidInputError', ['speed']],
    ]);
    expect(await count()).toBe(before);
  });
});
