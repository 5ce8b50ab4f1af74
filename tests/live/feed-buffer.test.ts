import { describe, expect, it } from 'vitest';
import { FeedBuffer } from '../../src/live/feed-buffer.ts';

/** Items that may be dropped are lower case. */
function feed(itemsMax: number) {
  const dropped: string[] = [];
  let closed = 0;
  const buffer = new FeedBuffer<string>(
    {
      itemsMax,
      isDroppable: (item) => item === item.toLowerCase(),
      onDropped: (item) => dropped.push(item),
      overflowError: (last) => new Error(`overflow after ${last}`),
    },
    () => {
      closed += 1;
    },
  );
  return { buffer, dropped, closed: () => closed };
}

async function take(buffer: FeedBuffer<string>, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  for (let index = 0; index < count; index += 1) taken.push((await buffer.next()).value);
  return taken;
}

describe('a feed', () => {
  it('hands out what was pushed, in order, to readers before and after', async () => {
    const { buffer } = feed(3);
    const early = buffer.next();
    for (const item of ['A', 'B', 'C']) buffer.push(item);
    expect([(await early).value, ...(await take(buffer, 2))]).toEqual(['A', 'B', 'C']);
  });

  it('drops the oldest of what may be dropped, and never anything else', async () => {
    const { buffer, dropped } = feed(3);
    for (const item of ['a', 'B', 'c', 'D', 'E', 'f']) buffer.push(item);
    expect(dropped).toEqual(['a', 'c', 'f']);
    expect(await take(buffer, 3)).toEqual(['B', 'D', 'E']);
    expect(buffer.push('G')).toBeUndefined();
    expect(await take(buffer, 1)).toEqual(['G']);
  });

  it('ends with an error that names the last item taken when something would be lost that must not', async () => {
    const { buffer, closed } = feed(2);
    buffer.push('A');
    expect(await take(buffer, 1)).toEqual(['A']);
    for (const item of ['B', 'C', 'D']) buffer.push(item);
    expect(closed()).toBe(1);
    await expect(buffer.next()).rejects.toThrow('overflow after A');
    // Nothing of what stood behind the hole is handed out.
    expect(await buffer.next()).toEqual({ done: true, value: undefined });
    expect(closed()).toBe(1);
  });

  it('lets a reader leave at once while it waits', async () => {
    const { buffer, closed } = feed(2);
    const waiting = buffer.next();
    const left = buffer.return();
    expect(closed()).toBe(1);
    expect([await waiting, await left]).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    buffer.push('A');
    expect(await buffer.next()).toEqual({ done: true, value: undefined });
  });

  it('hands out what is buffered when its source ends', async () => {
    const { buffer } = feed(2);
    buffer.push('A');
    buffer.end();
    expect([await buffer.next(), await buffer.next()]).toEqual([
      { done: false, value: 'A' },
      { done: true, value: undefined },
    ]);
  });

  it('rejects the reader that waits when it fails', async () => {
    const { buffer, closed } = feed(2);
    const waiting = buffer.next();
    buffer.fail(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect([closed(), await buffer.next()]).toEqual([1, { done: true, value: undefined }]);
  });
});
