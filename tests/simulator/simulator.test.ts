import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait.ts';
import { connectClient, createClient, framedMessages, getRoute } from './connector.ts';
import { ADA, simulate } from './harness.ts';

describe('the stock connector', () => {
  it('connects and receives chat, gift and like as they were sent', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    const gift = { id: '900001', name: 'Pebble', type: 1, diamondCount: 1 };
    const ids = [
      await room.send('WebcastChatMessage', { user: ADA, content: 'hello' }),
      await room.send('WebcastGiftMessage', {
        user: ADA,
        giftId: '900001',
        repeatCount: 3,
        groupId: '17',
        gift,
      }),
      await room.send('WebcastLikeMessage', { user: ADA, count: 15, total: '90961' }),
    ];
    await waitFor(() => client.received.length === 3);
    expect(client.received).toMatchObject([
      { type: 'WebcastChatMessage', data: { user: ADA, content: 'hello' } },
      { type: 'WebcastGiftMessage', data: { user: ADA, repeatCount: 3, groupId: '17', gift } },
      { type: 'WebcastLikeMessage', data: { user: ADA, count: 15, total: '90961' } },
    ]);
    expect(client.ids()).toEqual(ids);
    expect(client.errors).toEqual([]);
    expect(client.connection.roomId).toBe(room.roomId);
  });

  it('takes follow and share for what they are, and leaves social alone', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    const social = (key: string, action: string) => ({ user: ADA, action, common: { displayText: { key } } });
    await room.send('WebcastSocialMessage', social('pm_main_follow_message_viewer_2', '1'));
    await room.send('WebcastSocialMessage', social('pm_mt_guidance_share', '3'));
    await waitFor(() => client.received.length === 2);
    const names = client.events.map((event) => event.name);
    expect(names.filter((name) => name !== 'enterRoom')).toEqual(['follow', 'share']);
    expect(names.filter((name) => name === 'enterRoom')).toHaveLength(1);
  });

  it('acknowledges every frame', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    for (let frame = 0; frame < 20; frame += 1)
      await room.send('WebcastChatMessage', { content: `${frame}` });
    await waitFor(() => room.counters.acknowledgements === 20);
    expect(client.received).toHaveLength(20);
    expect(room.counters).toMatchObject({ messages: 20, framesWritten: 20, entered: 1 });
  });

  it('unpacks compressed frames', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    const message = room.message('WebcastChatMessage', { content: 'x'.repeat(20_000) });
    await room.sendFrame([message], { gzip: true });
    await waitFor(() => client.received.length === 1);
    expect(client.ids()).toEqual([message.messageId]);
    expect(client.frames.at(-1)?.length).toBeLessThan(2_000);
  });

  it('receives chosen ids and times, and otherwise ids that rise and the time of sending', async () => {
    let nowMs = 1_790_000_000_000;
    await using simulator = await simulate({ clock: { nowMs: () => nowMs } });
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    await room.send(
      'WebcastChatMessage',
      {},
      { messageId: '7286185139394235169', createTime: 1_696_447_178_225 },
    );
    nowMs += 5;
    await room.send('WebcastChatMessage', {});
    await room.send('WebcastChatMessage', {});
    await waitFor(() => client.received.length === 3);
    expect(client.received[0]?.data.common).toMatchObject({
      msgId: '7286185139394235169',
      createTime: '1696447178225',
    });
    expect(client.received[1]?.data.common).toMatchObject({ createTime: `${nowMs}`, roomId: room.roomId });
    const [, second, third] = client.ids();
    expect(BigInt(third ?? 0) - BigInt(second ?? 0)).toBe(1n);
  });

  it('reads the catalogue of gifts, through the signature that asks for none', async () => {
    await using simulator = await simulate();
    await using client = createClient(simulator, 'simulated');
    client.connection.options.enableExtendedGiftInfo = true;
    await client.connection.connect();
    expect(client.connection.availableGifts).toContainEqual({
      id: 900_001,
      name: 'Pebble',
      type: 1,
      diamond_count: 1,
    });
  });

  it('gives different people in different rooms their own messages', async () => {
    await using simulator = await simulate({ handles: ['one', 'two'] });
    await using one = await connectClient(simulator, 'one');
    await using two = await connectClient(simulator, 'two');
    await waitFor(() => simulator.room('one').viewers === 1 && simulator.room('two').viewers === 1);
    const first = await simulator.room('one').send('WebcastChatMessage', { content: 'for one' });
    const second = await simulator.room('two').send('WebcastChatMessage', { content: 'for two' });
    await waitFor(() => one.received.length === 1 && two.received.length === 1);
    expect([one.ids(), two.ids()]).toEqual([[first], [second]]);
    expect(one.connection.roomId).not.toBe(two.connection.roomId);
  });
});

describe('a handle', () => {
  it('that is offline is found, with its last room marked as over', async () => {
    await using simulator = await simulate();
    await using client = createClient(simulator, 'offline');
    await expect(client.connection.connect()).rejects.toThrow("isn't online");
    expect(await client.connection.fetchIsLive()).toBe(false);
  });

  it('that nobody has is told from one that is offline', async () => {
    await using simulator = await simulate();
    const answer = await getRoute(simulator, '/api-live/user/room/?uniqueId=nobody');
    expect(JSON.parse(answer.body)).toEqual({ statusCode: 19_881_007, message: 'user_not_found' });
    await using client = createClient(simulator, 'nobody');
    await expect(client.connection.connect()).rejects.toThrow('Failed to retrieve Room ID from all sources');
  });

  it('that is age-restricted has a room that only says so', async () => {
    await using simulator = await simulate();
    const { roomId } = simulator.room('restricted');
    const answer = await getRoute(simulator, `/webcast/room/info/?room_id=${roomId}`);
    expect(JSON.parse(answer.body)).toMatchObject({ status_code: 4_003_110 });
  });

  it('that is blocked is refused by every look-up', async () => {
    await using simulator = await simulate();
    const page = await getRoute(simulator, '/@blocked/live');
    const api = await getRoute(simulator, '/api-live/user/room/?uniqueId=blocked');
    const provider = await getRoute(simulator, '/webcast/anchors/blocked/room_id');
    expect([page.status, api.status, provider.status]).toEqual([403, 403, 404]);
    expect(page.body).not.toContain('SIGI_STATE');
  });

  it('that is suspended gets control message 4 as soon as somebody enters', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator, 'suspended');
    await waitFor(() => client.end.code !== null);
    expect(client.events.filter((event) => event.name === 'streamEnd')).toEqual([
      { name: 'streamEnd', data: { action: 4 } },
    ]);
    expect(simulator.room('suspended').state).toBe('SUSPENDED');
  });

  it('may change its state: offline, then live with a new stream', async () => {
    await using simulator = await simulate();
    const before = simulator.room().roomId;
    simulator.setHandle('simulated', 'offline');
    await using client = createClient(simulator, 'simulated');
    await expect(client.connection.connect()).rejects.toThrow("isn't online");
    simulator.setHandle('simulated', 'live');
    await client.connection.connect();
    expect(client.connection.roomId).toBe(simulator.room().roomId);
    expect(client.connection.roomId).not.toBe(before);
  });

  it('whose stream is ended says nothing more, whatever was going on', async () => {
    await using simulator = await simulate({ scenario: 'busy', ratePerSecond: 500 });
    await using client = await connectClient(simulator);
    await waitFor(() => client.received.length > 20);
    await simulator.room().control(3);
    await waitFor(() => client.end.code !== null);
    const { messages } = simulator.room().counters;
    await using late = await connectClient(simulator, 'simulated').catch(() => null);
    expect(late).toBeNull();
    expect(simulator.room().counters.messages).toBe(messages);
    expect((await framedMessages(client)).at(-1)?.type).toBe('WebcastControlMessage');
  });

  it('ends after the time that was asked for, and comes back with a new stream', async () => {
    await using simulator = await simulate({ endAfterMs: 50, liveAgainAfterMs: 50 });
    const first = simulator.room();
    await using client = await connectClient(simulator);
    await waitFor(() => client.end.code !== null);
    expect(first.state).toBe('ENDED');
    await waitFor(() => simulator.room() !== first);
    await client.connection.connect();
    expect(client.connection.roomId).toBe(simulator.room().roomId);
  });
});

describe('the mark of a simulator', () => {
  it('is on every answer, whatever is asked', async () => {
    await using simulator = await simulate();
    const { roomId } = simulator.room();
    const paths = [
      '/',
      '/@simulated/live',
      '/@nobody/live',
      '/@%E0%A4%A/live',
      '/api-live/user/room/?uniqueId=simulated',
      `/webcast/room/info/?room_id=${roomId}`,
      '/webcast/room/info/?room_id=1',
      '/webcast/gift/list/',
      `/webcast/rooms/${roomId}/connect`,
      '/webcast/rooms/1/connect',
      '/webcast/anchors/simulated/room_id',
      '/no/such/route',
    ];
    const answers = await Promise.all(paths.map((path) => getRoute(simulator, path)));
    expect(answers.map((answer) => answer.simulated)).toEqual(paths.map(() => true));
    expect(answers.map((answer) => answer.status)).toEqual([
      200, 200, 200, 400, 200, 200, 200, 200, 200, 404, 200, 404,
    ]);
  });

  it('is on the upgrade of the socket', async () => {
    await using simulator = await simulate();
    const answer = await upgradeAnswer(simulator.port);
    expect(answer).toContain('HTTP/1.1 101');
    expect(answer).toContain('x-tallylight-simulator: 1');
  });

  it('is in the title and in the room info, for people and for programs', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    expect(client.connection.roomInfo).toMatchObject({
      data: { title: '[SIMULATED] @simulated is live', tallylight_simulated: true, status: 2 },
    });
  });
});

it('says who is live and what was sent, for people and benches', async () => {
  await using simulator = await simulate({ faults: [{ name: 'unknown-type' }] });
  await using _client = await connectClient(simulator);
  const room = simulator.room();
  await waitFor(() => room.viewers === 1);
  await room.send('WebcastChatMessage', { content: 'hello' });
  const { faults, rooms } = JSON.parse((await getRoute(simulator, '/')).body);
  expect(faults).toEqual([{ name: 'unknown-type' }]);
  expect(rooms.map((entry: { handle: string }) => entry.handle)).toEqual([
    'offline',
    'restricted',
    'suspended',
    'blocked',
    'simulated',
  ]);
  expect(rooms.at(-1)).toMatchObject({
    handleState: 'live',
    roomId: room.roomId,
    roomState: 'LIVE',
    viewers: 1,
    counters: { messages: 1, framesWritten: 1, entered: 1 },
  });
});

describe('bad input', () => {
  it('a handle cannot close the script element of the page', async () => {
    await using simulator = await simulate();
    simulator.setHandle('</script><b>', 'live');
    const page = await getRoute(
      simulator,
      `/@${encodeURIComponent('</script><b>')}/live`.replace('%2F', '%2f'),
    );
    expect(page.status).toBe(200);
    expect(page.body.match(/<\/script>/g)).toHaveLength(1);
  });

  it('a client that sends garbage loses its connection, and nobody else does', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    await waitFor(() => simulator.room().viewers === 1);
    const stranger = new WebSocket(`ws://${simulator.webHost}/ws`);
    const closed = new Promise<number>((resolve) => {
      stranger.onclose = (event) => resolve(event.code);
    });
    stranger.onopen = () => stranger.send(new Uint8Array([0x0a, 0xff, 0xff, 0xff]));
    expect(await closed).toBe(1006);
    const id = await simulator.room().send('WebcastChatMessage', { content: 'still here' });
    await waitFor(() => client.received.length === 1);
    expect(client.ids()).toEqual([id]);
  });

  it('a body that is too long is refused', async () => {
    await using simulator = await simulate();
    const url = `http://${simulator.webHost}/tiktok/sign_url`;
    const long = await fetch(url, { method: 'POST', body: 'x'.repeat(70_000) });
    const wrong = await fetch(url, { method: 'POST', body: '{"url":1}' });
    const broken = await fetch(url, { method: 'POST', body: '{' });
    expect([long.status, wrong.status, broken.status]).toEqual([413, 400, 400]);
  });

  it('a port that is taken rejects the start with the reason', async () => {
    await using simulator = await simulate();
    await expect(simulate({ port: simulator.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('stop', () => {
  it('leaves no connection and no port open, though clients are connected and messages under way', async () => {
    await waitFor(() => openHandles() === 0, { message: 'the sockets of earlier tests to be gone' });
    const simulator = await simulate({ scenario: 'busy', ratePerSecond: 1_000 });
    const client = await connectClient(simulator);
    simulator.faults.set({ name: 'no-upgrade' });
    const hanging = connect(simulator.port, '127.0.0.1');
    hanging.on('error', () => undefined);
    hanging.write(UPGRADE_REQUEST);
    await waitFor(() => simulator.faults.fired('no-upgrade') === 1 && client.received.length > 100);
    await Promise.all([simulator.stop(), simulator.stop()]);
    await waitFor(() => client.end.code === 1006 && hanging.destroyed);
    await expect(fetch(`http://${simulator.webHost}/`)).rejects.toThrow('fetch failed');
    await waitFor(() => openHandles() === 0, { message: 'the sockets to be gone' });
    expect(simulator.room().viewers).toBe(0);
  });
});

const UPGRADE_REQUEST =
  'GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** How many TCP sockets and servers this process has. */
function openHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
}

async function upgradeAnswer(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(UPGRADE_REQUEST);
  for await (const chunk of socket) {
    socket.destroy();
    return String(chunk);
  }
  return '';
}
