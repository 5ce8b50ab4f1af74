import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EVENT_TYPES,
  type EventDraft,
  FOLLOW_ROLES,
  PROVIDERS,
  TRIGGER_IDS,
  type UnifiedEvent,
} from '../../src/events/unified-event.ts';
import type { SourceMessage } from '../../src/ingest/live-source.ts';
import { createEventQueue } from '../../src/ingest/room/event-queue.ts';
import { common, drafts, message, NOW, room, user } from '../ingest/support/webcast-room.ts';

const schema = JSON.parse(
  readFileSync(new URL('../../docs/contracts/unified-event.v1.schema.json', import.meta.url), 'utf8'),
);
// Strict, but for types that name two alternatives (`string` or `null`) and variants that add to the frame's own types.
const ajv = new Ajv2020({ strict: true, strictTypes: false });
const validate = ajv.compile(schema);

function problems(event: unknown): string {
  return validate(event) ? '' : ajv.errorsText(validate.errors);
}

/** The event as any reader gets it: placed, and through JSON. */
function published(draft: EventDraft, sequence = 1): Record<string, unknown> {
  return JSON.parse(JSON.stringify({ ...draft, sequence }));
}

const rose = {
  id: '5655',
  name: 'Rose',
  type: 1,
  diamondCount: 5,
  image: { urlList: ['https://p16.example/r.webp'] },
};
const person = { user: user('6416666322324584331'), common: common() };
const hosts = [{ value: { user: { userId: '501', nickName: 'Ann' } } }];

/** One message of each kind that becomes an event. */
const SAMPLES: readonly SourceMessage[] = [
  message('WebcastChatMessage', {
    ...person,
    content: 'hi 👋',
    contentLanguage: 'en',
    emotes: [{ emote: { emoteId: '1' } }],
  }),
  message('WebcastGiftMessage', {
    ...person,
    giftId: '5655',
    gift: rose,
    groupId: '9',
    repeatCount: 3,
    toUser: { id: '77' },
  }),
  message('WebcastGiftMessage', { ...person, giftId: '5655', gift: { ...rose, type: 2 }, repeatCount: 1 }),
  message('WebcastLikeMessage', { ...person, count: 15, total: '90961' }),
  message('WebcastSocialMessage', { ...person, action: '1' }),
  message('WebcastSocialMessage', { ...person, action: '3' }),
  message('WebcastMemberMessage', { ...person, action: 1, memberCount: 5 }),
  message('WebcastSubNotifyMessage', { ...person, subMonth: '2' }),
  message('WebcastEmoteChatMessage', { ...person, emoteList: [{ emoteId: '1' }, { emoteId: '2' }] }),
  message('WebcastLinkMicBattle', { battleId: '7', action: 4, anchorsInfo: hosts }),
  message('WebcastLinkMicArmies', { battleId: '7', armies: { 501: { hostscore: '5' } } }),
  message('WebcastBarrageMessage', { ...person, msgType: 4 }),
  message('WebcastNew', {}, { content: { kind: 'UNKNOWN', bytes: new Uint8Array(3) } }),
  message('WebcastRoomUserSeqMessage', { total: '6', totalUser: '473' }),
  message('WebcastImDeleteMessage', { deleteUserIds: ['42'] }),
  message('WebcastQuestionNewMessage', { data: { ...person, questionId: '8', content: 'why?' } }),
  message('WebcastEnvelopeMessage', { envelopeInfo: { envelopeId: '5', diamondCount: 20 } }),
  message('WebcastControlMessage', { action: 4 }),
];

/** Everything the normaliser makes of the samples and of the connection's life. */
function everyKind(): EventDraft[] {
  const normaliser = room({ development: true });
  const { lifecycle } = normaliser;
  return [
    lifecycle.connected().draft,
    ...drafts(normaliser.accept(SAMPLES)),
    ...drafts(normaliser.finish()),
    lifecycle.disconnected({ code: 1_006, reason: 'gone', willReconnect: true }).draft,
    lifecycle.error({ code: 'SIGN_SERVER', error: new Error('no answer') }).draft,
  ];
}

describe('the contract of UnifiedEvent v1', () => {
  it('names the same types, trigger ids, providers and roles as the code', () => {
    const variants: { properties: { eventType: { const: string }; triggerId: { const: number } } }[] =
      schema.oneOf;
    const named = variants.map(({ properties }) => [properties.eventType.const, properties.triggerId.const]);
    expect(Object.fromEntries(named)).toEqual(TRIGGER_IDS);
    expect(named).toHaveLength(EVENT_TYPES.length);
    expect(schema.properties.eventType.enum).toEqual(EVENT_TYPES);
    expect(schema.$defs.provider.enum).toEqual(PROVIDERS);
    expect(schema.$defs.user.properties.followRole.enum).toEqual(FOLLOW_ROLES);
  });

  it('holds for an event of every type', () => {
    const events = everyKind();
    expect(events.map((draft) => problems(published(draft)))).toEqual(events.map(() => ''));
    expect(new Set(events.map((draft) => draft.eventType))).toEqual(new Set(EVENT_TYPES));
  });

  it('lists exactly the fields that events of each type have', () => {
    for (const draft of everyKind()) {
      const event = published(draft);
      expect(new Set(Object.keys(event))).toEqual(new Set(schema.required));
      const payload = schema.$defs[`payload${draft.eventType}`];
      const resolved = payload.$ref === undefined ? payload : schema.$defs.emote;
      expect(new Set(Object.keys(draft.payload))).toEqual(new Set(resolved.required));
    }
  });

  it('holds for merged events', () => {
    const queue = createEventQueue({ eventsMax: 4 });
    const normaliser = room();
    const flood = SAMPLES.filter((sample) => /Member|Like/u.test(sample.rawType));
    for (let round = 0; round < 5; round++) {
      queue.push(normaliser.accept(flood.map((sample) => ({ ...sample, messageId: `${round}` }))).items);
    }
    expect(queue.coalesced.JOIN).toBeGreaterThan(0);
    for (const { draft } of queue.take(100)) expect(problems(published(draft))).toBe('');
  });

  it('holds whatever the messages hold', () => {
    const scalars = fc.oneof(
      fc.constantFrom<unknown>(
        '',
        '0',
        '1',
        '77',
        '6416666322324584331',
        '-3',
        '1e400',
        0,
        1,
        4,
        -1,
        2.5,
        1e300,
        NaN,
        true,
        null,
        undefined,
      ),
      fc.string({ unit: 'binary', maxLength: 1_500 }),
      fc.webUrl(),
    );
    const mutated = (
      value: unknown,
      picks: readonly [number, unknown][],
      counter: { at: number },
    ): unknown => {
      counter.at += 1;
      const pick = picks.find(([at]) => at === counter.at);
      if (pick !== undefined) return pick[1];
      if (Array.isArray(value)) return value.map((entry) => mutated(entry, picks, counter));
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, entry]) => [key, mutated(entry, picks, counter)]),
      );
    };
    const changes = fc.array(fc.tuple(fc.integer({ min: 2, max: 30 }), scalars), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.nat(SAMPLES.length - 1),
        changes,
        fc.integer({ min: 0, max: 8e15 }),
        (index, picks, lateMs) => {
          const sample = SAMPLES[index];
          if (sample?.content.kind !== 'DECODED') return;
          const data = mutated(sample.content.data, picks, { at: 0 }) as Record<string, unknown>;
          const receivedAt = Math.min(NOW + lateMs, 8_640_000_000_000_000);
          const normaliser = room({ development: true });
          const batch = normaliser.accept([{ ...sample, receivedAt, content: { kind: 'DECODED', data } }]);
          for (const draft of [...drafts(batch), ...drafts(normaliser.finish())]) {
            expect(problems(published(draft))).toBe('');
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('[T-S7] refuses what is no event', () => {
    const chat = published(everyKind().find((draft) => draft.eventType === 'CHAT') as EventDraft);
    const changed = (changes: Partial<Record<keyof UnifiedEvent | 'extra', unknown>>) =>
      problems({ ...chat, ...changes });
    expect(problems(chat)).toBe('');
    const { sequence: _, ...unplaced } = chat;
    expect(problems(unplaced)).toContain('sequence');
    const person = chat.user as Record<string, unknown>;
    const payload = chat.payload as Record<string, unknown>;
    const wrong: Partial<Record<keyof UnifiedEvent | 'extra', unknown>>[] = [
      { schemaVersion: '2' },
      { eventId: 'A'.repeat(64) },
      { eventType: 'TELEPORT' },
      { triggerId: 2 },
      { provider: 'YOUTUBE' },
      { channelId: 'chn_1' },
      { streamId: chat.channelId },
      { sequence: 0 },
      { sequence: 1.5 },
      { timestamp: new Date(NOW).toISOString() },
      { ingestedAt: -1 },
      { source: 'live' },
      { history: 'no' },
      { extra: true },
      { user: { ...person, userId: 'the_real_host' } },
      { user: { ...person, userId: 6_416_666_322_324_584 } },
      { user: { ...person, avatarUrl: 'javascript:alert(1)' } },
      { user: { ...person, phone: '5551234' } },
      { payload: { ...payload, message: 'x'.repeat(1_001) } },
      { payload: { ...payload, html: '<b>' } },
      { payload: {} },
      { eventType: 'GIFT', triggerId: 2 },
      { eventType: 'STREAM_END', triggerId: 15, payload: { reason: 'ENDED' } }, // of a person
    ];
    expect(wrong.filter((changes) => changed(changes) === '')).toEqual([]);
  });
});
