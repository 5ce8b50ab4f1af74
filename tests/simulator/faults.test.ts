import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAULT_NAMES } from '../../src/simulator/faults.ts';
import { waitFor } from '../support/wait.ts';
import { connectClient, createClient, framedMessages } from './connector.ts';
import { simulate } from './harness.ts';

describe('faults of the sign server', () => {
  it('429 refuses with the time to wait, and the stock connector fails on it', async () => {
    await using simulator = await simulate({ faults: [{ name: '429', value: 7, next: 2 }] });
    const address = `${simulator.signUrl}/webcast/rooms/${simulator.room().roomId}/connect`;
    const answer = await fetch(address);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '7']);
    await using client = createClient(simulator, 'simulated');
    await expect(client.connection.connect()).rejects.toThrow();
    await client.connection.connect();
    expect(simulator.faults.fired('429')).toBe(2);
  });

  it('500 fails the connection once, and then it works', async () => {
    await using simulator = await simulate({ faults: [{ name: '500', next: 1 }] });
    await using client = createClient(simulator, 'simulated');
    await expect(client.connection.connect()).rejects.toThrow('Unexpected sign server status 500');
    await client.connection.connect();
  });

  it('no-cookie makes the connector refuse', async () => {
    await using simulator = await simulate({ faults: [{ name: 'no-cookie', next: 1 }] });
    await using client = createClient(simulator, 'simulated');
    await expect(client.connection.connect()).rejects.toThrow('No cookies received from sign server');
    await client.connection.connect();
  });

  it('history repeats the last messages at each connect, with the same ids', async () => {
    await using simulator = await simulate({ faults: [{ name: 'history', value: 3 }] });
    const room = simulator.room();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1)
      ids.push(await room.send('WebcastChatMessage', { content: `${index}` }));
    for (const _ of ['first connect', 'second connect']) {
      await using client = await connectClient(simulator);
      expect(client.ids()).toEqual(ids.slice(2));
    }
    expect(room.lastMessages(3).map((message) => message.history)).toEqual([true, true, true]);
  });
});

describe('faults of the upgrade', () => {
  const timeout = process.env.WS_CONNECT_TIMEOUT_MS;
  beforeEach(() => {
    process.env.WS_CONNECT_TIMEOUT_MS = '300'; // the connector's own switch; 20 s otherwise
  });
  afterEach(() => {
    if (timeout === undefined) delete process.env.WS_CONNECT_TIMEOUT_MS;
    else process.env.WS_CONNECT_TIMEOUT_MS = timeout;
  });

  it('no-upgrade leaves the client waiting until it gives up', async () => {
    await using simulator = await simulate({ faults: [{ name: 'no-upgrade', next: 1 }] });
    await using client = createClient(simulator, 'simulated');
    const connecting = client.connection.connect();
    await expect(connecting).rejects.toThrow('Timed out whilst connecting to WebSocket');
    expect(simulator.faults.fired('no-upgrade')).toBe(1);
  });

  it('refuse-upgrade answers with the status that was asked for', async () => {
    await using simulator = await simulate({ faults: [{ name: 'refuse-upgrade', value: 415, next: 1 }] });
    await using client = createClient(simulator, 'simulated');
    await expect(client.connection.connect()).rejects.toThrow('Unexpected server response: 415');
    await client.connection.connect();
  });
});

describe('faults of the room', () => {
  it('slow-ack keeps the client out of the room, connected', async () => {
    await using simulator = await simulate({ faults: [{ name: 'slow-ack', value: 200, next: 1 }] });
    await using client = await connectClient(simulator);
    await waitFor(() => simulator.faults.fired('slow-ack') === 1);
    await simulator.room().send('WebcastChatMessage', { content: 'missed' });
    expect(client.events).toEqual([]);
    await waitFor(() => client.events.some((event) => event.name === 'enterRoom'));
    const id = await simulator.room().send('WebcastChatMessage', { content: 'seen' });
    await waitFor(() => client.received.length === 1);
    expect(client.ids()).toEqual([id]);
  });

  it.each([
    ['control-1', 1, 'LIVE'],
    ['control-2', 2, 'LIVE'],
    ['control-3', 3, 'ENDED'],
    ['control-4', 4, 'SUSPENDED'],
  ] as const)('%s sends control message %i and leaves the room %s', async (name, action, state) => {
    await using simulator = await simulate({ faults: [{ name, value: 0, next: 1 }] });
    await using client = await connectClient(simulator);
    await waitFor(() => client.of('WebcastControlMessage').length === 1);
    expect(client.of('WebcastControlMessage')).toMatchObject([{ data: { action } }]);
    expect(simulator.room().state).toBe(state);
    expect(await client.connection.fetchIsLive('simulated')).toBe(state === 'LIVE');
    const ended = client.events.filter((event) => event.name === 'streamEnd');
    expect(ended).toHaveLength(state === 'LIVE' ? 0 : 1);
  });
});

describe('faults of frames', () => {
  it('silence lets nothing through while it is on, and the socket stays open', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    simulator.faults.set({ name: 'silence' });
    for (let index = 0; index < 5; index += 1) await room.send('WebcastChatMessage', { content: 'lost' });
    simulator.faults.clear('silence');
    const id = await room.send('WebcastChatMessage', { content: 'after' });
    await waitFor(() => client.received.length === 1);
    expect(client.ids()).toEqual([id]);
    expect(client.connection.isConnected).toBe(true);
  });

  it('cut leaves the client with half a frame and a closed connection', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    const id = await room.send('WebcastChatMessage', { content: 'whole' });
    simulator.faults.set({ name: 'cut', next: 1 });
    await room.send('WebcastChatMessage', { content: 'x'.repeat(1_000) });
    await waitFor(() => client.end.code !== null);
    expect(client.end.code).toBe(1006);
    expect(client.ids()).toEqual([id]);
    expect(room.viewers).toBe(0);
  });

  it('poison adds a message that does not decode, and the others do', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    simulator.faults.set({ name: 'poison', next: 1 });
    const id = await room.send('WebcastChatMessage', { content: 'fine' });
    await waitFor(() => client.received.length === 1);
    const messages = await framedMessages(client);
    expect(messages.map(({ type, outcome }) => ({ type, outcome }))).toEqual([
      { type: 'WebcastChatMessage', outcome: 'decoded' },
      { type: 'WebcastChatMessage', outcome: 'undecodable' },
    ]);
    expect(messages[0]?.id).toBe(id);
    expect(messages[1]?.id).not.toBe(id);
  });

  it('unknown-type adds a message of a type that the connector has never heard of', async () => {
    await using simulator = await simulate({ faults: [{ name: 'unknown-type', next: 1 }] });
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    await room.send('WebcastChatMessage', { content: 'fine' });
    await waitFor(() => client.received.length === 1);
    const messages = await framedMessages(client);
    expect(messages.map(({ type, outcome }) => ({ type, outcome }))).toEqual([
      { type: 'WebcastChatMessage', outcome: 'decoded' },
      { type: 'WebcastSimulatedNoveltyMessage', outcome: 'unknown' },
    ]);
  });

  it('duplicate sends the same message twice, with the same id', async () => {
    await using simulator = await simulate({ faults: [{ name: 'duplicate', next: 1 }] });
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    const id = await room.send('WebcastChatMessage', { content: 'again' });
    await waitFor(() => client.received.length === 2);
    expect(client.ids()).toEqual([id, id]);
  });

  it('out-of-order makes the stock connector hand messages over the wrong way round', async () => {
    await using simulator = await simulate({ faults: [{ name: 'out-of-order', next: 1 }] });
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    const messages = ['first', 'second', 'third'].map((content) =>
      room.message('WebcastChatMessage', { content }),
    );
    await room.sendFrame(messages);
    await waitFor(() => client.received.length === 3);
    expect(client.received.map((message) => message.data.content)).toEqual(['third', 'first', 'second']);
    // On the wire they are in order: it is the reader that mixes them up.
    expect((await framedMessages(client)).map((message) => message.id)).toEqual(
      messages.map((message) => message.messageId),
    );
  });
});

describe('when faults strike', () => {
  it('next counts them, probability draws them the same way for the same seed, and neither means always', async () => {
    const strikes = async (): Promise<readonly boolean[]> => {
      await using simulator = await simulate({ seed: 3 });
      simulator.faults.set({ name: 'cut', probability: 0.3 });
      return Array.from({ length: 200 }, () => simulator.faults.strike('cut') !== undefined);
    };
    const drawn = await strikes();
    expect(await strikes()).toEqual(drawn);
    expect(drawn.filter(Boolean).length).toBeGreaterThan(40);
    expect(drawn.filter(Boolean).length).toBeLessThan(80);

    await using simulator = await simulate();
    const { faults } = simulator;
    faults.set({ name: '500', next: 2 });
    expect([1, 2, 3].map(() => faults.strike('500') !== undefined)).toEqual([true, true, false]);
    faults.set({ name: 'silence' });
    expect([1, 2, 3].map(() => faults.strike('silence') !== undefined)).toEqual([true, true, true]);
    expect(faults.active()).toEqual([{ name: 'silence' }]);
    faults.clear();
    expect(FAULT_NAMES.map((name) => faults.strike(name))).toEqual(FAULT_NAMES.map(() => undefined));
    expect([faults.fired('500'), faults.fired('silence')]).toEqual([2, 3]);
  });
});
