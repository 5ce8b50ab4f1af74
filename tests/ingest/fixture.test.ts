import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors/errors.ts';
import {
  FIXTURE_LINE_CHARS_MAX,
  FixtureLineError,
  formatFixtureLine,
  parseFixtureLine,
} from '../../src/ingest/fixture.ts';
import type { SourceMessage } from '../../src/ingest/live-source.ts';
import { NOW } from './support/webcast-room.ts';

const parse = (line: string) => parseFixtureLine(line, { lineNumber: 7, defaultReceivedAt: NOW });

describe('a fixture line', () => {
  it('comes back as the message it was written from', () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    const data = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,8}$/u),
      fc.jsonValue({ maxDepth: 2 }).map((value): unknown => JSON.parse(JSON.stringify(value))),
    );
    const content: fc.Arbitrary<SourceMessage['content']> = fc.oneof(
      data.map((decoded) => ({ kind: 'DECODED' as const, data: decoded })),
      bytes.map((some) => ({ kind: 'UNKNOWN' as const, bytes: some })),
      fc.record({ kind: fc.constant('UNDECODABLE' as const), bytes, error: fc.string() }),
    );
    const messages: fc.Arbitrary<SourceMessage> = fc.record({
      rawType: fc.constantFrom('WebcastChatMessage', 'x.Y_1'),
      messageId: fc.constantFrom('7290000000000000001', 'abc'),
      receivedAt: fc.integer({ min: 1, max: NOW }),
      history: fc.boolean(),
      content,
    });
    fc.assert(
      fc.property(messages, (message) => {
        const line = formatFixtureLine(message);
        expect(line).not.toContain('\n');
        expect(parse(line)).toEqual(message);
      }),
    );
  });

  it('may leave out all but type and data', () => {
    const data = { common: { msgId: '729', createTime: '1696447178225' }, content: 'x' };
    expect(parse(JSON.stringify({ type: 'WebcastChatMessage', data }))).toEqual({
      rawType: 'WebcastChatMessage',
      messageId: '729',
      receivedAt: 1_696_447_178_225,
      history: false,
      content: { kind: 'DECODED', data },
    });
    expect(parse('{"rawType":"X","data":{}}')).toMatchObject({ messageId: null, receivedAt: NOW });
    expect(parse('{"rawType":"X","data":{"common":{"msgId":"0","createTime":"1696447178"}}}')).toMatchObject({
      messageId: null,
      receivedAt: 1_696_447_178_000,
    });
  });

  it('leaves out bytes inside decoded data', () => {
    const data = { user: { id: '5', deprecated9: Buffer.from('abc') } };
    const line = formatFixtureLine({
      rawType: 'X',
      messageId: null,
      receivedAt: NOW,
      history: false,
      content: { kind: 'DECODED', data },
    });
    expect(JSON.parse(line).data).toEqual({ user: { id: '5' } });
  });

  it.each([
    ['', 'it is not a JSON object'],
    ['{"rawType":"X","da', 'it is not a JSON object'],
    ['[1]', 'it is not a JSON object'],
    ['null', 'it is not a JSON object'],
    ['{"data":{}}', '"rawType" must be the name of a message type'],
    ['{"rawType":"a b","data":{}}', '"rawType" must be the name of a message type'],
    ['{"rawType":"X"}', '"data" must be an object'],
    ['{"rawType":"X","data":[]}', '"data" must be an object'],
    ['{"rawType":"X","data":{},"bytesBase64":""}', 'it has both "data" and "bytesBase64"'],
    ['{"rawType":"X","bytesBase64":"a"}', '"bytesBase64" must be base64'],
    ['{"rawType":"X","bytesBase64":"ab-_"}', '"bytesBase64" must be base64'],
    ['{"rawType":"X","bytesBase64":"","error":5}', '"error" must be text'],
    ['{"rawType":"X","data":{},"messageId":5}', '"messageId" must be text of at most 64 characters, or null'],
    ['{"rawType":"X","data":{},"receivedAt":"now"}', '"receivedAt" must be milliseconds since 1970'],
    ['{"rawType":"X","data":{},"receivedAt":1.5}', '"receivedAt" must be milliseconds since 1970'],
    [`"${'x'.repeat(FIXTURE_LINE_CHARS_MAX)}"`, 'it has more than 1048576 characters'],
  ])('that is no message is refused with its number and the reason: %.40s', (line, reason) => {
    let refusal: unknown;
    try {
      parse(line);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(FixtureLineError);
    expect(refusal).toBeInstanceOf(UserError);
    expect(refusal).toMatchObject({
      code: 'FIXTURE_LINE_INVALID',
      lineNumber: 7,
      reason,
      message: `Line 7 of the fixture is no message: ${reason}.`,
    });
  });
});
