import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  type SourceError,
  SourceError as SourceErrorClass,
  type SourceMessage,
} from '../../../src/ingest/live-source.ts';
import { baseUrlOf } from '../../../src/ingest/tiktok/base-url.ts';
import { InsecureHostError } from '../../../src/ingest/tiktok/options.ts';
import { retryAfterMs } from '../../../src/ingest/tiktok/retry-after.ts';
import { encodePushFrame } from '../../../src/simulator/frame.ts';
import type { Room } from '../../../src/simulator/room.ts';
import { waitFor } from '../../support/wait.ts';
import { openBudget, readMessages, simulatorFixture, sourceOf } from '../support/source.ts';

const never = () => new AbortController().signal;

/** The number that a chat made by `chats` carries. */
function numberOf(message: SourceMessage): number {
  return message.content.kind === 'DECODED'
    ? Number.parseInt(`${message.content.data.content}`, 10)
    : Number.NaN;
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

function chats(room: Room, from: number, count: number, padding = '') {
  return upTo(count).map((index) =>
    room.message('WebcastChatMessage', { content: `${from + index}${padding}` }),
  );
}

/** Opens the room of a simulator and waits until it is entered. */
async function joined(simulator: Awaited<ReturnType<typeof simulatorFixture>>, signal = never()) {
  const room = simulator.room();
  const connection = await sourceOf(simulator).open({ handle: room.handle, signal });
  await waitFor(() => room.viewers > 0);
  return { room, connection };
}

/** What `open` fails with. */
async function failureOf(opening: Promise<unknown>): Promise<SourceError> {
  const error = await opening.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SourceErrorClass);
  return error as SourceError; // checked in the line above
}

describe('order and back-pressure', () => {
  it('yields 10,000 numbered messages in order, none lost, none twice, across compressed and plain frames', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    const reading = readMessages(connection, 10_000);
    // Every third frame is compressed, so the stock connector would overtake it with the next.
    for (let start = 0; start < 10_000; start += 10) {
      await room.sendFrame(chats(room, start, 10), { gzip: start % 30 === 0 });
    }
    const read = await reading;
    expect(read.map(numberOf)).toEqual(upTo(10_000));
    expect(new Set(read.map((message) => message.messageId)).size).toBe(10_000);
    await waitFor(() => room.counters.acknowledgements === 1_000);
    await connection.close();
  });

  it('keeps order where a large compressed frame is followed at once by a small one', async () => {
    await using simulator = await simulatorFixture({ faults: [{ name: 'out-of-order', value: 512 }] });
    const { room, connection } = await joined(simulator);
    const reading = readMessages(connection, 100);
    for (let start = 0; start < 100; start += 10) await room.sendFrame(chats(room, start, 10));
    expect((await reading).map(numberOf)).toEqual(upTo(100));
    await connection.close();
  });

  it('[T-D1] holds the socket back while nobody reads, and goes on where it was', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    const padding = 'x'.repeat(3_000);
    let written = 0;
    const flood = (async () => {
      for (let start = 0; start < 20_000; start += 10) {
        await room.sendFrame(chats(room, start, 10, padding), { gzip: false });
        written += 1;
      }
    })();
    // 60 MB were to be sent: what fits the buffers of both sides got through, and then nothing more.
    await waitFor(async () => {
      const before = written;
      await sleep(200);
      return written > 0 && written === before;
    });
    expect(written).toBeLessThan(1_000);
    const read = await readMessages(connection, 20_000);
    await flood;
    expect(read.map(numberOf)).toEqual(upTo(20_000));
    await connection.close();
  });

  it('[T-D1] hands out at most 200 messages at a time, however many a frame brings, and lets timers in between', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    await room.sendFrame(chats(room, 0, 1_000));
    const sizes: number[] = [];
    let turns = 0;
    let counting: NodeJS.Immediate = setImmediate(function count() {
      turns += 1;
      counting = setImmediate(count);
    });
    for await (const portion of connection.messages) {
      sizes.push(portion.length);
      if (sizes.reduce((sum, size) => sum + size, 0) === 1_000) break;
    }
    clearImmediate(counting);
    expect(Math.max(...sizes)).toBe(200);
    expect(turns).toBeGreaterThanOrEqual(sizes.length - 1);
  });
});

describe('what does not decode', () => {
  it('keeps the bytes of a message that does not decode, and goes on with the rest of its frame', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    const [before, after] = chats(room, 0, 2);
    const poison = Buffer.from([0x0a, 0x7f, 1, 2, 3]);
    if (before === undefined || after === undefined) throw new Error('two were made');
    await room.sendFrame([
      before,
      { rawType: 'WebcastGiftMessage', messageId: '42', payload: poison },
      after,
    ]);
    const read = await readMessages(connection, 3);
    expect(read.map(({ content }) => content.kind)).toEqual(['DECODED', 'UNDECODABLE', 'DECODED']);
    expect(read[1]).toMatchObject({ rawType: 'WebcastGiftMessage', messageId: '42', history: false });
    const { content } = read[1] ?? {};
    expect(content?.kind === 'UNDECODABLE' && Buffer.from(content.bytes)).toEqual(poison);
    await connection.close();
  });

  it.each(['WebcastSimulatedNoveltyMessage', 'constructor', '__proto__', 'ControlAction', 'default', ''])(
    '[T-S7] takes a message of type %j for unknown and keeps its bytes',
    async (rawType) => {
      await using simulator = await simulatorFixture();
      const { room, connection } = await joined(simulator);
      await room.sendBytes(rawType, Buffer.from('bytes'), { messageId: '7' });
      const [message] = await readMessages(connection, 1);
      expect(message).toMatchObject({ rawType, messageId: '7', content: { kind: 'UNKNOWN' } });
      const { content } = message ?? {};
      expect(content?.kind === 'UNKNOWN' && Buffer.from(content.bytes).toString()).toBe('bytes');
      await connection.close();
    },
  );

  it('makes one message of a frame that cannot be read at all, and goes on', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    await room.writeFrame(Buffer.from('no protobuf at all'));
    await room.writeFrame(encodePushFrame('msg', gzipSync('x').subarray(0, 12), '1'));
    await room.sendFrame(chats(room, 5, 1));
    const read = await readMessages(connection, 3);
    expect(read.map(({ rawType, content }) => `${rawType} ${content.kind}`)).toEqual([
      'WebcastPushFrame UNDECODABLE',
      'WebcastPushFrame UNDECODABLE',
      'WebcastChatMessage DECODED',
    ]);
    await connection.close();
  });

  it('[T-D1] does not unpack a frame that would come to more than 16 MB', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    await room.writeFrame(encodePushFrame('msg', gzipSync(Buffer.alloc(64 * 1024 * 1024)), '1'));
    await room.sendFrame(chats(room, 5, 1));
    const read = await readMessages(connection, 2);
    expect(read[0]).toMatchObject({ rawType: 'WebcastPushFrame', content: { kind: 'UNDECODABLE' } });
    expect(read[0]?.content.kind === 'UNDECODABLE' && read[0].content.bytes.length).toBeLessThan(100_000);
    expect(read.slice(1).map(numberOf)).toEqual([5]);
    await connection.close();
  });
});

describe('the batch delivered at connect', () => {
  it('is marked as history, with the ids its messages had', async () => {
    await using simulator = await simulatorFixture({ faults: [{ name: 'history', value: 3 }] });
    const room = simulator.room();
    for (const message of chats(room, 0, 5)) await room.sendFrame([message]);
    const { connection } = await joined(simulator);
    await room.sendFrame(chats(room, 5, 1));
    const read = await readMessages(connection, 4);
    expect(read.map((message) => [numberOf(message), message.history])).toEqual([
      [2, true],
      [3, true],
      [4, true],
      [5, false],
    ]);
    await connection.close();
  });
});

describe('how a connection ends', () => {
  it.each([
    [3, { kind: 'STREAM_ENDED' }],
    [4, { kind: 'STREAM_SUSPENDED' }],
  ] as const)('reads everything before control message %i, and then %o', async (action, end) => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    await room.sendFrame(chats(room, 0, 100), { gzip: true });
    await room.control(action);
    const read = await readMessages(connection, Number.POSITIVE_INFINITY);
    expect(read.slice(0, 100).map(numberOf)).toEqual(upTo(100));
    expect(read.slice(100).map(({ rawType }) => rawType)).toEqual(['WebcastControlMessage']);
    expect(await connection.ended).toEqual(end);
    await waitFor(() => room.viewers === 0);
  });

  it.each([1, 2] as const)('goes on after control message %i, which is a message', async (action) => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    await room.control(action);
    await room.sendFrame(chats(room, 0, 1));
    const read = await readMessages(connection, 2);
    expect(read.map(({ rawType }) => rawType)).toEqual(['WebcastControlMessage', 'WebcastChatMessage']);
    await connection.close();
  });

  it('reads what came before a cut in the middle of a frame, and says it was closed', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    await room.sendFrame(chats(room, 0, 50));
    simulator.faults.set({ name: 'cut', next: 1 });
    await room.sendFrame(chats(room, 50, 50));
    const read = await readMessages(connection, Number.POSITIVE_INFINITY);
    expect(read.map(numberOf)).toEqual(upTo(50));
    expect(await connection.ended).toMatchObject({ kind: 'CLOSED', code: 1006 });
  });

  it('ends a quiet connection at once when its reader leaves', async () => {
    await using simulator = await simulatorFixture();
    const { room, connection } = await joined(simulator);
    const iterator = connection.messages[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await connection.ended).toEqual({ kind: 'ABORTED' });
    await waitFor(() => room.viewers === 0);
  });

  it('ends by its signal, also with unread messages behind a paused socket', async () => {
    await using simulator = await simulatorFixture();
    const controller = new AbortController();
    const { room, connection } = await joined(simulator, controller.signal);
    const padding = 'x'.repeat(3_000);
    const flood = Promise.all(upTo(500).map((frame) => room.sendFrame(chats(room, frame * 10, 10, padding))));
    await waitFor(() => room.counters.framesWritten > 100);
    const before = performance.now();
    controller.abort();
    expect(await connection.ended).toEqual({ kind: 'ABORTED' });
    await connection.close();
    expect(performance.now() - before).toBeLessThan(2_000);
    await waitFor(() => room.viewers === 0);
    await flood;
  });
});

describe('failing to connect', () => {
  it.each([
    ['offline', 'OFFLINE'],
    ['nobody_has_this', 'UNKNOWN_HANDLE'],
    ['restricted', 'AGE_RESTRICTED'],
    ['blocked', 'BLOCKED'],
  ])('looking for %s is %s', async (handle, failure) => {
    await using simulator = await simulatorFixture();
    const error = await failureOf(sourceOf(simulator).open({ handle, signal: never() }));
    expect(error.failure).toBe(failure);
  });

  it.each([
    ['offline', 'OFFLINE'],
    ['nobody_has_this', 'UNKNOWN_HANDLE'],
  ])('looking for %s through the sign provider is %s too', async (handle, failure) => {
    await using simulator = await simulatorFixture();
    const source = sourceOf(simulator, { provider: 'euler' });
    expect((await failureOf(source.open({ handle, signal: never() }))).failure).toBe(failure);
  });

  it('joins a room that the sign provider found', async () => {
    await using simulator = await simulatorFixture();
    const room = simulator.room();
    const budget = openBudget();
    const source = sourceOf(simulator, { provider: 'euler', signBudget: budget });
    const connection = await source.open({ handle: room.handle, signal: never() });
    expect(connection).toMatchObject({ roomId: room.roomId, simulated: true });
    expect(budget.taken).toBe(2); // the look-up and the socket's address
    await connection.close();
  });

  it('reads the 429 of the sign server and tells the budget', async () => {
    await using simulator = await simulatorFixture({ faults: [{ name: '429', value: 7 }] });
    const budget = openBudget();
    const before = Date.now();
    const source = sourceOf(simulator, { signBudget: budget });
    const error = await failureOf(source.open({ handle: 'simulated', signal: never() }));
    expect(error).toMatchObject({ failure: 'RATE_LIMITED', retryAfterMs: 7_000 });
    expect(budget.blockedUntil).toBeGreaterThanOrEqual(before + 7_000);
  });

  it('does not ask the sign server at all while the budget is used up', async () => {
    await using simulator = await simulatorFixture({ faults: [{ name: '500' }] });
    const signBudget = {
      take: () => Promise.reject(new SourceErrorClass('RATE_LIMITED', 'used up', { retryAfterMs: 3_000 })),
      block: async () => {},
    };
    const error = await failureOf(
      sourceOf(simulator, { signBudget }).open({ handle: 'simulated', signal: never() }),
    );
    expect(error).toMatchObject({ failure: 'RATE_LIMITED', retryAfterMs: 3_000 });
    expect(simulator.faults.fired('500')).toBe(0);
  });

  it.each([
    [{ name: '500' }, 'SIGN_SERVER'],
    [{ name: 'no-cookie' }, 'SIGN_SERVER'],
    [{ name: 'refuse-upgrade', value: 403 }, 'BLOCKED'],
    [{ name: 'refuse-upgrade', value: 200 }, 'BLOCKED'],
    [{ name: 'refuse-upgrade', value: 429 }, 'RATE_LIMITED'],
    [{ name: 'refuse-upgrade', value: 502 }, 'NETWORK'],
  ] as const)('takes %o for %s', async (fault, failure) => {
    await using simulator = await simulatorFixture({ faults: [fault] });
    const error = await failureOf(sourceOf(simulator).open({ handle: 'simulated', signal: never() }));
    expect(error.failure).toBe(failure);
  });

  it('takes a host that nobody answers at for NETWORK, and names neither address nor handle', async () => {
    const nowhere = { webHost: '127.0.0.1:1', webcastHost: '127.0.0.1:1', signUrl: 'http://127.0.0.1:1' };
    const error = await failureOf(sourceOf(nowhere).open({ handle: 'simulated', signal: never() }));
    expect(error).toMatchObject({ failure: 'NETWORK', message: 'TikTok is out of reach (ECONNREFUSED).' });
  });

  it('[T-D1] reads no page without end, however small it is packed', async () => {
    await using simulator = await simulatorFixture();
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024), { level: 1 });
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(bomb);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const hosts = { webHost: host, webcastHost: host, signUrl: simulator.signUrl };
    const error = await failureOf(sourceOf(hosts).open({ handle: 'simulated', signal: never() }));
    server.closeAllConnections();
    server.close();
    expect(error).toMatchObject({ failure: 'NETWORK', message: 'TikTok answered more than a page can be.' });
  });

  it('gives up by itself when the socket never opens', async () => {
    await using simulator = await simulatorFixture({ faults: [{ name: 'no-upgrade' }] });
    const source = sourceOf(simulator, { connectTimeoutMs: 300 });
    const error = await failureOf(source.open({ handle: 'simulated', signal: never() }));
    expect(error).toMatchObject({ failure: 'NETWORK', message: 'No connection within 300 ms.' });
  });

  it('stops within 2 s while a server never upgrades, and leaves nothing pending', async () => {
    await using simulator = await simulatorFixture({ faults: [{ name: 'no-upgrade' }] });
    const controller = new AbortController();
    const opening = failureOf(sourceOf(simulator).open({ handle: 'simulated', signal: controller.signal }));
    await waitFor(() => simulator.faults.fired('no-upgrade') === 1);
    const resources = process.getActiveResourcesInfo();
    const before = performance.now();
    controller.abort();
    expect((await opening).failure).toBe('ABORTED');
    expect(performance.now() - before).toBeLessThan(2_000);
    // The attempt's own timer and socket are gone.
    await waitFor(() => process.getActiveResourcesInfo().length < resources.length);
  });

  it('stops at whatever point it is told to, and never throws anything else', async () => {
    await using simulator = await simulatorFixture();
    const source = sourceOf(simulator);
    for (let delayMs = 0; delayMs < 30; delayMs += 2) {
      const controller = new AbortController();
      const opening = source.open({ handle: 'simulated', signal: controller.signal });
      setTimeout(() => controller.abort(), delayMs);
      const outcome = await opening.then(
        (connection) => connection.ended.then(({ kind }) => kind),
        (error: unknown) => (error as SourceError).failure,
      );
      expect(outcome).toBe('ABORTED');
    }
    await waitFor(() => simulator.room().viewers === 0);
  });
});

describe('what leaves this machine', () => {
  it('talks https to every host but loopback', () => {
    const hosts = ['www.tiktok.com', 'example.org:8080', '127.0.0.1:5', 'localhost', '[::1]:7', '128.0.0.1'];
    expect(hosts.map(baseUrlOf)).toEqual([
      'https://www.tiktok.com',
      'https://example.org:8080',
      'http://127.0.0.1:5',
      'http://localhost',
      'http://[::1]:7',
      'https://128.0.0.1',
    ]);
  });

  it('refuses a sign server that would be sent keys in the clear', async () => {
    const hosts = { webHost: 'a.example', webcastHost: 'b.example', signUrl: 'http://sign.example' };
    expect(() => sourceOf(hosts)).toThrow(InsecureHostError);
    expect(() => sourceOf({ ...hosts, signUrl: 'no address' })).toThrow(InsecureHostError);
  });

  it('sends each tenant its own sign key, side by side', async () => {
    await using simulator = await simulatorFixture();
    const keys: (string | undefined)[] = [];
    const sign = createServer((request, response) => {
      keys.push(request.headers['x-api-key'] as string | undefined);
      response.writeHead(500).end();
    });
    await new Promise<void>((resolve) => sign.listen(0, '127.0.0.1', resolve));
    const hosts = {
      webHost: simulator.webHost,
      webcastHost: simulator.webcastHost,
      signUrl: `http://127.0.0.1:${(sign.address() as AddressInfo).port}`,
    };
    const tenants = ['key-of-one', null, 'key-of-other'];
    await Promise.all(
      tenants.map((signKey) =>
        failureOf(sourceOf(hosts, { signKey }).open({ handle: 'simulated', signal: never() })),
      ),
    );
    sign.close();
    expect(keys.sort()).toEqual(['key-of-one', 'key-of-other', undefined]);
  });
});

describe('the simulator', () => {
  it('is told apart from TikTok', async () => {
    await using simulator = await simulatorFixture();
    const { connection, room } = await joined(simulator);
    expect(connection).toMatchObject({ simulated: true, title: room.title, roomId: room.roomId });
    await connection.close();
  });
});

describe('retryAfterMs', () => {
  const nowMs = Date.UTC(2026, 10, 22, 8, 0, 0);
  it.each([
    ['120', null, 120_000],
    ['0', null, 0],
    ['Sun, 22 Nov 2026 08:00:30 GMT', null, 30_000],
    ['Sun, 22 Nov 2026 07:00:00 GMT', null, 0],
    ['999999', null, 3_600_000],
    ['soon', null, null],
    [null, `${nowMs / 1000 + 45}`, 45_000],
    [null, 'x', null],
    [null, null, null],
  ])('reads %j and %j as %j', (retryAfter, reset, ms) => {
    expect(retryAfterMs({ retryAfter, reset }, nowMs)).toBe(ms);
  });
});
