import { gzipSync } from 'node:zlib';
import { ProtoMessageFetchResult } from 'tiktok-live-proto/v3';
import { describe, expect, it } from 'vitest';
import { FrameQueue } from '../../../src/ingest/tiktok/frame-queue.ts';
import { decodeBatch } from '../../../src/ingest/tiktok/message-batch.ts';
import { createMessageDecoder } from '../../../src/ingest/tiktok/message-decoder.ts';
import { MessageStream } from '../../../src/ingest/tiktok/message-stream.ts';
import { hasMoreFieldsThan, isHeavierThan } from '../../../src/ingest/tiktok/wire-reader.ts';
import { encodePushFrame } from '../../../src/simulator/frame.ts';

const decode = createMessageDecoder();

/** `count` empty fields of variable length with this number: two bytes each. */
function emptyFields(number: number, count: number): Buffer {
  return Buffer.alloc(2 * count, Buffer.from([(number << 3) | 2, 0]));
}

/** `bytes` as the field of this number. */
function field(number: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

function received(rawType: string, payload: Uint8Array) {
  const message = { ...ProtoMessageFetchResult.decode(field(1, Buffer.alloc(0))).messages[0], msgId: '7' };
  // The spread is of a whole message: the batch above has one.
  return decode({ ...message, method: rawType, payload } as Parameters<typeof decode>[0], {
    atMs: 1,
    history: false,
  });
}

/** Milliseconds and megabytes that `work` takes. */
function costOf(work: () => void): { readonly ms: number; readonly mb: number } {
  const [startedAt, heap] = [performance.now(), process.memoryUsage().heapUsed];
  work();
  return {
    ms: performance.now() - startedAt,
    mb: (process.memoryUsage().heapUsed - heap) / 2 ** 20,
  };
}

describe('a frame from a hostile room', () => {
  it('[T-D1] of eight million empty messages is refused before it is decoded', async () => {
    const payload = emptyFields(1, 8_000_000);
    const cost = costOf(() => expect(() => decodeBatch(payload)).toThrow(RangeError));
    expect(cost.ms).toBeLessThan(500);
    expect(cost.mb).toBeLessThan(50);
    expect(decodeBatch(emptyFields(1, 1_000)).messages).toHaveLength(1_000);

    // Through the socket's queue: one broken frame, and the stream goes on.
    const queue = new FrameQueue({ pause: () => undefined, resume: () => undefined });
    const stream = new MessageStream(
      { queue, decode, acknowledge: () => undefined, onStreamEnd: () => undefined },
      { batch: ProtoMessageFetchResult.decode(new Uint8Array()), atMs: 1 },
    );
    queue.push(encodePushFrame('msg', gzipSync(payload, { level: 1 }), '1'), 2);
    queue.push(encodePushFrame('msg', emptyFields(1, 3), '2'), 3);
    const read = [...((await stream.next()) ?? [])];
    while (read.length < 4) read.push(...((await stream.next()) ?? []));
    expect(read.map(({ rawType, content }) => [rawType, content.kind])).toEqual([
      ['WebcastPushFrame', 'UNDECODABLE'],
      ['', 'UNKNOWN'],
      ['', 'UNKNOWN'],
      ['', 'UNKNOWN'],
    ]);
    stream.discard();
  });

  it('[T-D1] hides no list of millions in a message, at any depth, nor behind a group', () => {
    const list = emptyFields(8, 2_000_000);
    const nested = field(2, field(3, field(4, emptyFields(8, 100_000))));
    const grouped = Buffer.concat([Buffer.from([0x0b, 0x0c]), emptyFields(8, 100_000)]);
    for (const payload of [list, nested, grouped]) {
      const cost = costOf(() => {
        expect(received('WebcastRankUpdateMessage', payload).content).toMatchObject({
          kind: 'UNDECODABLE',
          error: 'RangeError: too large',
        });
      });
      expect(cost.mb).toBeLessThan(50);
    }
    expect(received('WebcastRankUpdateMessage', emptyFields(8, 100)).content.kind).toBe('DECODED');
  });

  it('[T-D1] keeps a thousand items of the lists that are read', () => {
    const lengths = Array.from({ length: 15 }, (_, index) => {
      const { content } = received('WebcastChatMessage', emptyFields(index + 1, 100_000));
      const lists = content.kind === 'DECODED' ? Object.values(content.data).filter(Array.isArray) : [];
      return Math.max(0, ...lists.map(({ length }) => length));
    });
    expect(Math.max(...lengths)).toBe(1_000);
  });
});

describe('the weight of a message', () => {
  it('counts fields of variable length, nested ones too, and takes text for what it is', () => {
    expect(hasMoreFieldsThan(emptyFields(1, 5), 5)).toBe(false);
    expect(hasMoreFieldsThan(emptyFields(1, 6), 5)).toBe(true);
    expect(hasMoreFieldsThan(field(1, emptyFields(1, 6)), 5)).toBe(false);
    expect(isHeavierThan(field(1, emptyFields(1, 5)), 5)).toBe(true);
    expect(isHeavierThan(field(1, emptyFields(1, 4)), 5)).toBe(false);
    expect(isHeavierThan(field(1, Buffer.from('Hello, everybody! 😀'.repeat(50))), 500)).toBe(false);
    expect(isHeavierThan(Buffer.from([0xff, 0xff]), 5)).toBe(false);
  });
});
