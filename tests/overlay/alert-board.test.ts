import { describe, expect, it } from 'vitest';
import {
  ALERTS_VISIBLE_MAX,
  ALERTS_WAITING_MAX,
  CHAT_LINE_MS,
  CHAT_LINES_MAX,
  createAlertBoard,
  STREAK_SILENCE_MS,
} from '../../web/overlay/alert-board.js';

type OverlayEvent = import('../../web/overlay/alert-board.js').OverlayEvent;

const ALERT_MS = 6_000;
const ada = { alias: 'viewer-00ad', displayName: 'Ada', avatarUrl: null };
const bob = { alias: 'viewer-0b0b', displayName: 'Bob', avatarUrl: null };

let nextId = 0;
const event = (fields: Partial<OverlayEvent> & { __typename: string }): OverlayEvent => ({
  id: `event ${++nextId}`,
  history: false,
  actor: ada,
  ...fields,
});
const step = (streakId: string, count: number, active: boolean, fields: Partial<OverlayEvent> = {}) =>
  event({
    __typename: 'GiftEvent',
    giftName: 'Rose',
    streakId,
    streakCount: count,
    streakCoins: String(count),
    streakActive: active,
    ...fields,
  });
const shown = (board: ReturnType<typeof createAlertBoard>) =>
  board.view().alerts.map((alert) => `${alert.id} ×${alert.count}${alert.closed ? ' closed' : ''}`);

describe('alert board', () => {
  it('shows a gift streak as one alert that counts up and closes', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    const seen: string[][] = [];
    for (const [count, active] of [
      [1, true],
      [5, true],
      [34, true],
      [34, false],
    ] as const) {
      board.receive(step('rose', count, active), count * 100);
      seen.push(shown(board));
    }
    expect(seen).toEqual([['rose ×1'], ['rose ×5'], ['rose ×34'], ['rose ×34 closed']]);
  });

  it('lets a closed alert go after its time and an unclosed streak after silence', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    board.receive(step('closed', 2, false), 0);
    board.receive(step('open', 2, true), 0);
    board.tick(ALERT_MS - 1);
    expect(shown(board)).toEqual(['closed ×2 closed', 'open ×2']);
    board.tick(ALERT_MS);
    expect(shown(board)).toEqual(['open ×2']);
    board.tick(STREAK_SILENCE_MS);
    expect(shown(board)).toEqual([]);
  });

  it('shows nothing again for an end that comes after its alert has left', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    board.receive(step('rose', 3, false), 0);
    board.tick(ALERT_MS);
    board.receive(step('rose', 3, false), ALERT_MS + 1);
    expect(shown(board)).toEqual([]);
    board.receive(step('rose', 9, false), ALERT_MS + 2);
    expect(shown(board)).toEqual(['rose ×9 closed']);
  });

  it('never lets a count fall', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    board.receive(step('rose', 7, true), 0);
    board.receive(step('rose', 3, true), 1);
    expect(shown(board)).toEqual(['rose ×7']);
  });

  it('makes further alerts wait, counting, and shows them when there is room', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    for (let index = 0; index < ALERTS_VISIBLE_MAX; index++) board.receive(step(`a${index}`, 1, false), 0);
    board.receive(step('late', 1, true), 0);
    board.receive(step('late', 50, false), 10);
    expect(shown(board)).toHaveLength(ALERTS_VISIBLE_MAX);
    board.tick(ALERT_MS);
    expect(shown(board)).toEqual(['late ×50 closed']);
    board.tick(ALERT_MS + ALERT_MS - 1);
    expect(shown(board)).toEqual(['late ×50 closed']);
  });

  it('[T-D1] bounds what waits and gives up the alert worth least', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    const total = ALERTS_VISIBLE_MAX + ALERTS_WAITING_MAX + 40;
    for (let index = 0; index < total; index++) board.receive(step(`g${index}`, index + 1, false), 0);
    const everShown: string[] = [];
    for (let now = 0; board.view().alerts.length > 0; now += ALERT_MS) {
      everShown.push(...board.view().alerts.map((alert) => alert.id));
      board.tick(now + ALERT_MS);
    }
    expect(everShown).toHaveLength(ALERTS_VISIBLE_MAX + ALERTS_WAITING_MAX);
    expect(everShown.slice(ALERTS_VISIBLE_MAX)).toEqual(
      Array.from({ length: ALERTS_WAITING_MAX }, (_, index) => `g${total - ALERTS_WAITING_MAX + index}`),
    );
  });

  it('never shows history, nor an event twice', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    board.receive(event({ __typename: 'ChatEvent', message: 'old', history: true }), 0);
    const hello = event({ __typename: 'ChatEvent', message: 'hello' });
    board.receive(hello, 0);
    board.receive(hello, 1);
    expect(board.view().chat.map((line) => line.message)).toEqual(['hello']);
  });

  it('keeps the newest chat lines, for their time', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    for (let index = 0; index < CHAT_LINES_MAX + 3; index++) {
      board.receive(event({ __typename: 'ChatEvent', message: `line ${index}` }), 0);
    }
    expect(board.view().chat.map((line) => line.message)).toEqual(
      Array.from({ length: CHAT_LINES_MAX }, (_, index) => `line ${index + 3}`),
    );
    board.tick(CHAT_LINE_MS);
    expect(board.view().chat).toEqual([]);
  });

  it('takes a deleted viewer’s messages off the screen and leaves the others', () => {
    const board = createAlertBoard({ alertMs: ALERT_MS });
    board.receive(event({ __typename: 'ChatEvent', message: 'rude' }), 0);
    board.receive(event({ __typename: 'ChatEvent', message: 'kind', actor: bob }), 0);
    board.receive(event({ __typename: 'MessageDeletedEvent', actor: null, aliases: [ada.alias] }), 1);
    expect(board.view().chat.map((line) => line.message)).toEqual(['kind']);
  });
});
