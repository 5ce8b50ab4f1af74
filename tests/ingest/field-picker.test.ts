import fc from 'fast-check';
import * as webcast from 'tiktok-live-proto/v3';
import { describe, expect, it } from 'vitest';
import { type FieldPicker, pickFields } from '../../src/ingest/tiktok/field-picker.ts';
import { createFieldPickers } from '../../src/ingest/tiktok/read-fields.ts';
import { WireError } from '../../src/ingest/tiktok/wire-reader.ts';
import { createRandom } from '../../src/lib/random.ts';

type Message = Readonly<Record<string, unknown>>;

/** What the schema's own decoder says about the fields that the picker picks: the oracle. */
function decodedWhole(bytes: Uint8Array, picker: FieldPicker): Message {
  return projected({ ...picker.schema.decode(bytes) }, picker);
}

function projected(message: Message, picker: FieldPicker): Message {
  return Object.fromEntries(
    [...picker.fields.values()].map(({ name, picker: nested }) => {
      const value = message[name];
      if (nested === null || value === undefined) return [name, value];
      // Nested messages and lists of them are what the schema's decoder made of them.
      if (Array.isArray(value)) return [name, value.map((each: Message) => projected(each, nested))];
      return [name, projected(value as Message, nested)];
    }),
  );
}

const TEXTS = ['', 'a', 'ünïcode ✨', '日本語', '\u0000', '👨‍👩‍👧', 'x'.repeat(300), '<script>'];
const NUMBERS = ['0', '1', '-1', '4294967295', '4294967296', '9007199254740993', '9223372036854775807'];

/** A message of `schema` with any of its plain fields set, and nested messages where the picker has one. */
function anyMessage(picker: FieldPicker, seed: number): Message {
  const random = createRandom(seed);
  const message: Record<string, unknown> = { ...picker.schema.decode(new Uint8Array()) };
  for (const [name, value] of Object.entries(message)) {
    if (random.integer(0, 1) === 0) continue;
    if (value === '') message[name] = TEXTS[random.integer(0, TEXTS.length - 1)];
    else if (value === '0') message[name] = NUMBERS[random.integer(0, 1)];
    else if (value === 0) message[name] = random.integer(0, 70_000);
    else if (value === false) message[name] = true;
  }
  for (const { name, repeated, kind, picker: nested } of picker.fields.values()) {
    if (kind === 'INT64') message[name] = NUMBERS[random.integer(0, NUMBERS.length - 1)];
    if (kind === 'TEXT' && repeated) message[name] = TEXTS.slice(0, random.integer(0, 4));
    if (nested === null || random.integer(0, 3) === 0) continue;
    const make = (index: number) => anyMessage(nested, seed + index + name.length);
    message[name] = repeated
      ? Array.from({ length: random.integer(0, 3) }, (_, index) => make(index))
      : make(7);
  }
  return message;
}

const pickers = [...createFieldPickers()];

describe('field picker', () => {
  it.each(pickers)('[T-S7] reads of %s just what the schema’s own decoder reads', (_type, picker) => {
    fc.assert(
      fc.property(fc.integer({ min: 0 }), (seed) => {
        const bytes = picker.schema.encode(anyMessage(picker, seed)).finish();
        expect(pickFields(bytes, picker)).toEqual(decodedWhole(bytes, picker));
      }),
      { numRuns: 300 },
    );
  });

  it.each(pickers)('[T-S7] never reads behind the bytes of %s, whatever they are', (_type, picker) => {
    fc.assert(
      fc.property(fc.integer({ min: 0 }), fc.uint8Array({ maxLength: 40 }), fc.nat(), (seed, noise, at) => {
        const whole = picker.schema.encode(anyMessage(picker, seed)).finish();
        const place = whole.length === 0 ? 0 : at % whole.length;
        const broken = Buffer.concat([whole.subarray(0, place), noise, whole.subarray(place + noise.length)]);
        let picked: Message | undefined;
        try {
          picked = pickFields(broken, picker);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
        // What it accepts has the shape of the defaults.
        if (picked !== undefined) expect(Object.keys(picked)).toEqual(Object.keys(picker.defaults));
      }),
      { numRuns: 300 },
    );
  });

  it('takes a message without a field as the schema does: the default', () => {
    for (const [, picker] of pickers) {
      expect(pickFields(new Uint8Array(), picker)).toEqual(decodedWhole(new Uint8Array(), picker));
    }
  });

  it('merges nothing between messages: lists and nested messages are each message’s own', () => {
    const picker = createFieldPickers().get('WebcastChatMessage');
    const message = { ...webcast.WebcastChatMessage.decode(new Uint8Array()), content: 'one' };
    if (picker === undefined) throw new Error('chat is picked');
    const first = pickFields(webcast.WebcastChatMessage.encode(message).finish(), picker);
    expect(pickFields(new Uint8Array(), picker)).toMatchObject({ content: '', emotes: [] });
    expect(first).toMatchObject({ content: 'one', emotes: [] });
  });
});
