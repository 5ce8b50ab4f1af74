import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createRawRedactor,
  RAW_CHARS_MAX,
  RAW_NAMES_MAX,
  RAW_SCANNED_MAX,
  REDACTED,
  TRUNCATED_KEY,
} from '../../../src/ingest/normalise/raw-redaction.ts';
import { pseudonym, user } from '../support/webcast-room.ts';

const redact = createRawRedactor(pseudonym);

describe('the data of a RAW event', () => {
  it('keeps the shape and the numbers, and has people as pseudonyms', () => {
    const person = user('6612989235535129871');
    expect(
      redact({
        common: {
          method: 'WebcastBarrageMessage',
          msgId: '7286185145035442949',
          createTime: '1696447177577',
          logId: '',
        },
        msgType: 11,
        duration: '4000',
        isShown: true,
        empty: { nested: [{ zero: 0 }] },
        bytes: new Uint8Array([1]),
        content: { key: 'pm_mt_fan_live_join', defaultPattern: '{0:user} joined' },
        fansLevelParam: { currentGrade: 21, user: person },
        icon: {
          urlList: ['https://p16.example/badge.webp', 'https://p16-sign.example/tos-alisg-avt-0068/x.webp'],
        },
      }),
    ).toEqual({
      common: { method: 'WebcastBarrageMessage', msgId: '7286185145035442949', createTime: '1696447177577' },
      msgType: 11,
      duration: '4000',
      isShown: true,
      content: { key: 'pm_mt_fan_live_join', defaultPattern: '{0:user} joined' },
      fansLevelParam: { currentGrade: 21, user: { pseudonym: pseudonym('6612989235535129871') } },
      icon: { urlList: ['https://p16.example/badge.webp'] },
    });
  });

  it('shows the same person as the same pseudonym, whole or by id, as value, in a list or as the key of a map', () => {
    const id = '6612989235535129871';
    const same = pseudonym(id);
    expect(
      redact({
        operator: user(id),
        actionByUserId: id,
        deleteUserIds: [id],
        scores: { [id]: 5 },
        voteUserList: [{ userId: id, nickName: 'Ann' }],
        shareTarget: id,
      }),
    ).toEqual({
      operator: { pseudonym: same },
      actionByUserId: same,
      deleteUserIds: [same],
      scores: { [same]: 5 },
      voteUserList: [{ pseudonym: same }],
      shareTarget: same,
    });
  });

  it('leaves out what people wrote, and their names also inside other text', () => {
    expect(
      redact({
        chatMessage: { user: user('77', { nickname: 'Zoë' }), content: 'call me at 5551234' },
        pieces: [{ stringValue: 'Zoë' }, { stringValue: '12' }],
        hint: 'Zoë joined the team',
        level: 'gold',
        comment: '5551234',
      }),
    ).toEqual({
      chatMessage: { user: { pseudonym: pseudonym('77') }, content: REDACTED },
      pieces: [{ stringValue: REDACTED }, { stringValue: '12' }],
      hint: REDACTED,
      level: 'gold',
      comment: REDACTED,
    });
    expect(redact({ votes: { 'Zoë & Ann': 5, option_1: 3 } })).toEqual({
      votes: { [REDACTED]: 5, option_1: 3 },
    });
  });

  it('takes out a short name only where it is the whole text', () => {
    expect(redact({ user: user('77', { nickname: 'a' }), x: 'a', y: 'a cat' })).toEqual({
      user: { pseudonym: pseudonym('77') },
      x: REDACTED,
      y: 'a cat',
    });
  });

  it('is cut at its limits and says so; a name in the part cut off is still found in the part kept', () => {
    const rows = Array.from({ length: 3_000 }, (_, index) => ({ label: `row ${index} ${'x'.repeat(20)}` }));
    const flat = Object.fromEntries(rows.map((row, index) => [`k${index}`, row]));
    const result = redact({ title: 'Zebedee joined', ...flat, user: user('77', { nickname: 'Zebedee' }) });
    expect(result[TRUNCATED_KEY]).toBe(true);
    expect(result.title).toBe(REDACTED);
    expect(JSON.stringify(result).length).toBeLessThan(2 * RAW_CHARS_MAX);
    expect(redact({ list: rows })[TRUNCATED_KEY]).toBe(true);
  });

  it('is nothing but the mark when there is more of it than we look at', () => {
    const huge = { title: 'Zebedee joined', list: Array.from({ length: RAW_SCANNED_MAX + 1 }, () => 1) };
    expect(redact(huge)).toEqual({ [TRUNCATED_KEY]: true });
    let deep: Record<string, unknown> = { nickname: 'Zebedee' };
    for (let depth = 0; depth < 200; depth++) deep = { inner: deep };
    expect(redact({ title: 'Zebedee joined', deep })).toEqual({ [TRUNCATED_KEY]: true });
    const people = Array.from({ length: RAW_NAMES_MAX / 2 + 1 }, (_, index) => ({
      nickname: `n${index}`,
      secUid: `s${index}`,
    }));
    expect(redact({ title: 'n1 joined', lists: [{ people }] })).toEqual({ [TRUNCATED_KEY]: true });
  });

  it('[T-S7] cannot be given another prototype', () => {
    const data = JSON.parse(
      '{"__proto__": {"polluted": "yes"}, "__pro\\u0000to__": {"polluted": "yes"}, "a": "b"}',
    );
    const result = redact(data);
    expect(result).toEqual({ a: 'b', [REDACTED]: { polluted: 'yes' } });
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(result.polluted).toBeUndefined();
  });

  it('[T-I1] has no name, handle, id, picture or text of anyone, wherever the message has them', () => {
    const canary = fc.record({
      id: fc.bigInt({ min: 10n ** 17n, max: 10n ** 19n }).map(String),
      nickname: fc.string({ unit: 'grapheme', minLength: 4, maxLength: 12 }).map((text) => `Näme${text}`),
      handle: fc.stringMatching(/^[a-z0-9_.]{4,12}$/u).map((text) => `hndl_${text}`),
      secUid: fc.stringMatching(/^[A-Za-z0-9]{8}$/u).map((text) => `MS4w${text}`),
      written: fc.stringMatching(/^[a-z]{4,12}$/u).map((text) => `wrote ${text}`),
    });
    type Canary = typeof canary extends fc.Arbitrary<infer T> ? T : never;
    /** The ways in which messages name people. */
    const plants: ((one: Canary) => Record<string, unknown>)[] = [
      (one) => ({ user: { id: one.id, nickname: one.nickname, displayId: one.handle, secUid: one.secUid } }),
      (one) => ({ toUser: { id: one.id, bioDescription: one.written } }),
      (one) => ({ atUser: user(one.id, { nickname: one.nickname }) }),
      (one) => ({ anything: { userId: one.id, nickName: one.nickname } }),
      (one) => ({
        list: [
          { displayId: one.handle, score: '3' },
          { user_id: one.id, uniqueId: one.handle },
        ],
      }),
      (one) => ({ sendUserName: one.nickname, sendUserId: one.id, idStr: one.id }),
      (one) => ({ contributorDisplayId: one.handle, contributorIdStr: one.id }),
      (one) => ({ armies: { [one.id]: { hostscore: '5', anchorIdStr: one.id } } }),
      (one) => ({
        avatarThumb: { urlList: [`https://p16.example/${one.handle}.jpg`] },
        avatar_url: one.handle,
      }),
      (one) => ({ content: one.written, comment: `${one.nickname}: ${one.written}` }),
      (one) => ({ note: `thanks ${one.nickname}!`, operator: { nickname: one.nickname, id: one.id } }),
      (one) => ({
        pieces: [
          { userValue: { user: { id: one.id, nickname: one.nickname } } },
          { stringValue: one.nickname },
        ],
      }),
      (one) => ({ mentionUserList: [one.id], shareTarget: one.id, unheardOf: [one.id] }),
      (one) => ({ owner: one.handle, host: Number(one.id) }),
    ];
    const tree = fc.letrec((tie) => ({
      branch: fc.dictionary(
        fc.constantFrom('data', 'inner', 'list', 'extra', 'param', 'common', 'displayText', 'goal', 'x'),
        fc.oneof(
          { maxDepth: 4, depthSize: 'small' },
          fc.constantFrom('text', '5', 7, true, '1790000000000'),
          fc.record({ plant: fc.nat(plants.length - 1) }),
          fc.array(tie('branch'), { maxLength: 3 }),
          tie('branch'),
        ),
        { maxKeys: 4 },
      ),
    }));
    const planted = (node: unknown, one: Canary): unknown => {
      if (Array.isArray(node)) return node.map((entry) => planted(entry, one));
      if (typeof node !== 'object' || node === null) return node;
      if ('plant' in node) return plants[Number(node.plant)]?.(one);
      return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, planted(value, one)]));
    };
    fc.assert(
      fc.property(tree.branch, canary, fc.nat(plants.length - 1), (branch, one, always) => {
        const data = { ...(planted(branch, one) as Record<string, unknown>), ...plants[always]?.(one) };
        const text = JSON.stringify(redact(data));
        for (const secret of [
          one.id,
          one.nickname,
          one.handle,
          one.secUid,
          one.written,
          `Name of ${one.id}`,
        ]) {
          expect(text).not.toContain(JSON.stringify(secret).slice(1, -1));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
