import type { Delivery } from '../../../src/bus/port.ts';
import type { UnifiedEventOf } from '../../../src/events/unified-event.ts';
import type { Room } from '../../../src/simulator/room.ts';

/** Numbered chat and a counting gift streak, as the simulator's room sends them, and as they come out. */

/** 0, 1, … `count` − 1. */
export const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Sends chat messages whose words are the numbers from `from` on, in one frame. */
export async function chat(room: Room, from: number, count: number): Promise<void> {
  await room.sendFrame(
    upTo(count).map((index) => room.message('WebcastChatMessage', { content: `${from + index}` })),
  );
}

export const chatNumbers = (events: readonly Delivery[]): readonly number[] =>
  events.flatMap(({ event }) => (event.eventType === 'CHAT' ? [Number(event.payload.message)] : []));

export const GIVER = { id: '700000000000000001', displayId: 'giver', nickname: 'Giver' };

/** One step of the giver's streak of roses (1 diamond each), with its running total. */
export function roseOf(room: Room, repeatCount: number, groupId = '99') {
  return room.message('WebcastGiftMessage', {
    user: GIVER,
    giftId: '5655',
    gift: { id: '5655', name: 'Rose', type: 1, diamondCount: 1 },
    groupId,
    repeatCount,
    repeatEnd: 0,
  });
}

export async function rose(room: Room, repeatCount: number): Promise<void> {
  await room.sendFrame([roseOf(room, repeatCount)]);
}

export const giftsOf = (events: readonly Delivery[]): readonly UnifiedEventOf<'GIFT'>[] =>
  events.flatMap(({ event }) => (event.eventType === 'GIFT' ? [event] : []));

/** How many gifts these events add, all together. */
export const giftCountOf = (events: readonly Delivery[]): number =>
  giftsOf(events).reduce((sum, { payload }) => sum + payload.giftCount, 0);
