import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait.ts';
import { collected, ingestFixture, inProcessBus, wantedChannel } from './support/ingest.ts';
import { simulatorFixture } from './support/source.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

describe('the whole path', () => {
  it('carries 10,000 numbered mixed messages to the bus in order, none lost, none twice', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture();
    const room = simulator.room();
    const bus = inProcessBus();
    const channelId = await wantedChannel(db, room.handle);
    const events = await collected(bus, channelId);
    await using service = await ingestFixture({ db, bus, simulator });
    await waitFor(() => room.viewers === 1);
    for (let start = 0; start < 10_000; start += 20) {
      const messages = Array.from({ length: 20 }, (_, index) => {
        const number = start + index;
        return number % 4 === 0
          ? room.message('WebcastSocialMessage', { common: { describe: `${number}` } })
          : room.message('WebcastChatMessage', { content: `${number}` });
      });
      await room.sendFrame(messages, { gzip: start % 60 === 0 });
    }
    await waitFor(() => events.length >= 10_001, { timeoutMs: 20_000 });
    await service.stop();
    const types = new Set(events.map(({ event }) => event.eventType));
    expect(events.map(({ event }) => event.sequence)).toEqual(events.map((_, index) => index + 1));
    expect(events[0]?.event.eventType).toBe('CONNECTED');
    expect(events.at(-1)?.event.eventType).toBe('DISCONNECTED');
    expect(events.length).toBe(10_002);
    expect(types.has('CHAT')).toBe(true);
    const chats = events.flatMap(({ event }) =>
      event.eventType === 'CHAT' ? [Number(event.payload.message)] : [],
    );
    expect(chats).toEqual(Array.from({ length: 10_000 }, (_, index) => index).filter((n) => n % 4 !== 0));
    await bus.close();
  });
});
