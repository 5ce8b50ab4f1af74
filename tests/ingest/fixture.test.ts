import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors/errors.ts';
import { FIXTURE_LINE_CHARS_MAX, FixtureLineError, parseFixtureLine } from '../../src/ingest/fixture.ts';
import { NOW } from './support/webcast-room.ts';

const parse = (line: string) => parseFixtureLine(line, { lineNumber: 7, defaultReceivedAt: NOW });

describe('a fixture line', () => {
  it('is the message it says', () => {
    const head = { rawType: 'WebcastChatMessage', messageId: '729', receivedAt: NOW, history: true };
    const bytes = new TextEncoder().encode('any bytes');
    const bytesBase64 = Buffer.from(bytes).toString('base64');
    const data = { content: 'x', common: { msgId: 'other', createTime: '5' } };
    expect([
      parse(JSON.stringify({ ...head, data })),
      parse(JSON.stringify({ ...head, bytesBase64 })),
      parse(JSON.stringify({ ...head, bytesBase64, error: 'out of range' })),
      parse(JSON.stringify({ ...head, bytesBase64: '' })),
    ]).toEqual([
      { ...head, content: { kind: 'DECODED', data } },
      { ...head, content: { kind: 'UNKNOWN', bytes } },
      { ...head, content: { kind: 'UNDECODABLE', bytes, error: 'out of range' } },
      { ...head, content: { kind: 'UNKNOWN', bytes: new Uint8Array(0) } },
    ]);
  });

  it('is refused or a message, whatever it holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (line) => {
        try {
          expect(parse(line)).toMatchObject({ receivedAt: expect.any(Number) });
        } catch (error) {
          expect(error).toBeInstanceOf(FixtureLineError);
        }
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
