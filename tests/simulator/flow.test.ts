import {
  ProtoMessageFetchResult,
  WebcastChatMessage,
  WebcastGiftMessage,
  WebcastImEnterRoomMessage,
  WebcastPushFrame,
} from 'tiktok-live-proto/v3';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createFloodFrames } from '../../src/simulator/flood.ts';
import type { Room } from '../../src/simulator/room.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { waitFor } from '../support/wait.ts';
import { connectClient, framedMessages } from './connector.ts';
import { simulate } from './harness.ts';

/** A plain reader that can stop reading; enters the room and keeps count of the frames. */
async function openReader(
  simulator: Simulator,
  room: Room,
): Promise<WebSocket & { readonly frames: Buffer[] }> {
  const socket = new WebSocket(`ws://${simulator.webHost}/ws`);
  const frames: Buffer[] = [];
  const answers: string[] = [];
  socket.on('message', (frame: Buffer) => {
    const { payloadType } = WebcastPushFrame.decode(frame);
    if (payloadType === 'msg') frames.push(frame);
    else answers.push(payloadType);
  });
  await new Promise<void>((resolve) => socket.once('open', resolve));
  const enter = WebcastImEnterRoomMessage.encode({
    ...WebcastImEnterRoomMessage.decode(new Uint8Array()),
    roomId: room.roomId,
  }).finish();
  socket.send(
    WebcastPushFrame.encode({
      ...WebcastPushFrame.decode(new Uint8Array()),
      payloadEncoding: 'pb',
      payloadType: 'im_enter_room',
      payload: Buffer.from(enter),
    }).finish(),
  );
  await waitFor(() => answers.includes('im_enter_room_resp'));
  return Object.assign(socket, { frames });
}

const messagesOf = (frame: Buffer): ProtoMessageFetchResult['messages'] =>
  ProtoMessageFetchResult.decode(WebcastPushFrame.decode(frame).payload).messages;

describe('back-pressure', () => {
  it('holds the writer while a reader does not read, and loses nothing', async () => {
    await using simulator = await simulate();
    const room = simulator.room();
    const reader = await openReader(simulator, room);
    const frame = room.encodeFrame([room.message('WebcastChatMessage', { content: 'x'.repeat(30_000) })], {
      gzip: false,
    });
    const frames = 2_000;
    let taken = 0;
    reader.pause();
    const writing = (async () => {
      for (; taken < frames; taken += 1) await room.writeFrame(frame);
    })();
    let seen = { taken: -1, looks: 0 };
    await waitFor(() => {
      seen = seen.taken === taken ? { taken, looks: seen.looks + 1 } : { taken, looks: 0 };
      return seen.looks === 20;
    });
    // What the kernel holds for a reader on loopback is a few megabytes: far from the 60 there are to write.
    expect(taken).toBeLessThan(frames / 2);
    reader.resume();
    await writing;
    await waitFor(() => reader.frames.length === frames);
    expect(reader.frames.every((received) => received.equals(frame))).toBe(true);
    reader.terminate();
  });

  it('of one slow reader ends with that reader', async () => {
    await using simulator = await simulate();
    const room = simulator.room();
    const reader = await openReader(simulator, room);
    const frame = room.encodeFrame([room.message('WebcastChatMessage', { content: 'x'.repeat(30_000) })], {
      gzip: false,
    });
    reader.pause();
    const writing = (async () => {
      for (let count = 0; count < 2_000; count += 1) await room.writeFrame(frame);
    })();
    await waitFor(() => room.counters.framesWritten > 10);
    reader.terminate();
    await writing;
    await waitFor(() => room.viewers === 0);
  });
});

describe('order and rate', () => {
  it('numbered messages arrive in order, none lost, none twice', async () => {
    await using simulator = await simulate();
    await using client = await connectClient(simulator);
    const room = simulator.room();
    await waitFor(() => room.viewers === 1);
    const ids: string[] = [];
    for (let start = 0; start < 3_000; start += 10) {
      const messages = Array.from({ length: 10 }, (_, index) =>
        room.message('WebcastChatMessage', { content: `${start + index}` }),
      );
      ids.push(...messages.map((message) => message.messageId));
      await room.sendFrame(messages, { gzip: false });
    }
    await waitFor(() => client.received.length === 3_000);
    const messages = await framedMessages(client);
    expect(messages.map((message) => message.id)).toEqual(ids);
    expect(messages.map(({ data }) => data)).toMatchObject(
      Array.from({ length: 3_000 }, (_, index) => ({ content: `${index}` })),
    );
    // The stock connector mixes up messages of frames that come at once; it neither loses nor repeats any.
    expect(new Set(client.ids())).toEqual(new Set(ids));
  });

  it('a scenario keeps up thousands of messages per second over the stock connector', async () => {
    const ratePerSecond = 3_000;
    await using simulator = await simulate({ scenario: 'busy', ratePerSecond });
    await using client = await connectClient(simulator);
    const startedAt = performance.now();
    await waitFor(() => simulator.room().counters.messages >= 2 * ratePerSecond, { timeoutMs: 20_000 });
    const seconds = (performance.now() - startedAt) / 1_000;
    const sent = simulator.room().counters.messages;
    expect(sent / seconds).toBeGreaterThan(ratePerSecond * 0.5);
    expect(sent / seconds).toBeLessThan(ratePerSecond * 1.3);
    // Types that no schema has are the connector's to drop; all others come through.
    await waitFor(() => client.received.length > 0.9 * sent);
    expect(new Set(client.ids()).size).toBe(client.ids().length);
    expect(client.errors).toEqual([]);
  });

  it('the same seed sends the same messages over the wire', async () => {
    const play = async (): Promise<readonly unknown[]> => {
      await using simulator = await simulate({ scenario: 'battle', seed: 9, ratePerSecond: 400 });
      await using client = await connectClient(simulator);
      await waitFor(() => client.received.length >= 300);
      const messages = await framedMessages(client);
      // Ids and times are of the moment; everything else is of the seed.
      return messages.slice(0, 300).map(({ type, data }) => ({ type, ...data, common: null }));
    };
    expect(await play()).toEqual(await play());
  });
});

describe('a flood', () => {
  it('has frames of ten messages of about 3 kB, each with ids and times of its own', async () => {
    await using simulator = await simulate();
    const room = simulator.room();
    const templates = createFloodFrames(room, { seed: 'flood', viewers: null });
    expect(templates).toHaveLength(64);
    const sizes: number[] = [];
    for (const template of templates) {
      const frame = template.stamp(4_000_000_000_000_000_001n, 1_790_000_000_123);
      const messages = messagesOf(frame);
      sizes.push(...messages.map((message) => message.payload.length));
      expect(messages.map((message) => message.msgId)).toEqual(
        Array.from({ length: 10 }, (_, index) => `${4_000_000_000_000_000_001n + BigInt(index)}`),
      );
      for (const { method, msgId, payload } of messages) {
        // All types have the common part in field 1, so any of them reads it.
        expect(WebcastChatMessage.decode(payload).common).toMatchObject({
          method,
          msgId,
          createTime: '1790000000123',
          roomId: room.roomId,
        });
        if (method === 'WebcastGiftMessage') expect(WebcastGiftMessage.decode(payload).groupId).toBe(msgId);
      }
    }
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    expect(mean).toBeGreaterThan(2_800);
    expect(mean).toBeLessThan(3_200);
  });

  it('stops after the number of messages that was asked for, none of them twice', async () => {
    await using simulator = await simulate({ scenario: 'flood', floodMessagesMax: 5_000 });
    const reader = await openReader(simulator, simulator.room());
    await waitFor(() => reader.frames.length === 500);
    const ids = reader.frames.flatMap((frame) => messagesOf(frame).map((message) => BigInt(message.msgId)));
    expect(ids.slice(1).every((id, index) => id === (ids[index] ?? 0n) + 1n)).toBe(true);
    expect(simulator.room().counters).toMatchObject({ messages: 5_000, framesWritten: 500 });
    reader.terminate();
  });

  it('keeps to a rate when one is asked for', async () => {
    await using simulator = await simulate({
      scenario: 'flood',
      floodMessagesMax: 1_000,
      ratePerSecond: 2_000,
    });
    const startedAt = performance.now();
    const reader = await openReader(simulator, simulator.room());
    await waitFor(() => reader.frames.length === 100);
    // The first frame comes at once: 99 intervals of 5 ms.
    expect(performance.now() - startedAt).toBeGreaterThan(480);
    reader.terminate();
  });
});
