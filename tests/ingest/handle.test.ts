import { describe, expect, it } from 'vitest';
import { InvalidHandleError, parseHandle } from '../../src/ingest/handle.ts';

describe('parseHandle', () => {
  it.each([
    ['@Tally.Light', 'tally.light'],
    ['  some_one  ', 'some_one'],
    ['ab', 'ab'],
    ['a'.repeat(24), 'a'.repeat(24)],
  ])('reads %s as %s', (text, handle) => {
    expect(parseHandle(text)).toBe(handle);
  });

  it.each([
    '',
    '@',
    'a',
    'a'.repeat(25),
    'two words',
    '@@twice',
    'a/b',
    '../live',
    'ünicode',
    'a\nb',
    'https://www.tiktok.com/@x1',
  ])('refuses %j in one sentence', (text) => {
    const refusal = expect(() => parseHandle(text));
    refusal.toThrow(InvalidHandleError);
    refusal.toThrow(/^A TikTok handle has 2 to 24 letters[^.]*, for example @tally\.light\.$/);
  });
});
