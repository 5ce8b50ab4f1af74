import type { EventUser } from '../../events/unified-event.ts';
import type { EventBody } from './body.ts';
import {
  codeOf,
  countOf,
  idOf,
  imageUrlOf,
  type JsonRecord,
  NAME_CHARS_MAX,
  recordOf,
  textOf,
  userIdOf,
} from './reading.ts';
import { userOf } from './user.ts';

/** The dearest gift costs 44,999 coins; together the limits keep `count × price` far below 2^53. */
const GIFT_COUNT_MAX = 1_000_000;
const DIAMONDS_MAX = 1_000_000;
/**
 * `gift.type`: 1 may come in streaks, 2 and 4 come once. A message without the gift's details has none (0 or absent):
 * its group id alone then tells, since booking growth never counts twice.
 */
const GIFT_TYPE_STREAK = 1;
/** tiktok-live-proto: EnvelopeDisplay.HIDE: the chest disappears, which is not a chest. */
const ENVELOPE_HIDE = 2;

/** A gift message's own words: running totals, not growth. */
export interface GiftReading {
  readonly sender: EventUser | null;
  readonly giftId: string;
  readonly giftName: string;
  readonly giftImageUrl: string | null;
  /** Price of one, in coins; 0 when the message does not say. */
  readonly diamondCount: number;
  /** Names the sender's streak; empty for a gift outside a streak. */
  readonly groupId: string;
  /** At least 1. In a streak: the running total. */
  readonly repeatCount: number;
  /** The provider says the streak is over. */
  readonly repeatEnd: boolean;
  /** The guest who got it; null when it was the host. */
  readonly toUserId: string | null;
}

/** WebcastGiftMessage. Null when it names no gift. */
export function giftReading(data: JsonRecord): GiftReading | null {
  const gift = recordOf(data.gift);
  const giftId = idOf(data.giftId) || idOf(gift.id);
  if (giftId === '') return null;
  return {
    sender: userOf(data.user, data.userIdentity),
    giftId,
    giftName: textOf(gift.name, NAME_CHARS_MAX),
    giftImageUrl: imageUrlOf(gift.image) ?? imageUrlOf(gift.icon),
    diamondCount: countOf(gift.diamondCount, DIAMONDS_MAX),
    groupId: codeOf(gift.type) <= GIFT_TYPE_STREAK ? idOf(data.groupId) : '',
    repeatCount: countOf(data.repeatCount, GIFT_COUNT_MAX) || 1,
    repeatEnd: codeOf(data.repeatEnd) > 0,
    toUserId: guestOf(data),
  };
}

/** The receiver, unless it is the host, whom some messages name as well. */
function guestOf(data: JsonRecord): string | null {
  const receiver = userIdOf(recordOf(data.toUser).id) ?? userIdOf(data.toMemberIdInt);
  if (receiver === null) return null;
  return receiver === userIdOf(recordOf(data.monitorInfo).anchorId) ? null : receiver;
}

/** A gift outside a streak: complete as it comes. `id` is its event's, which names it in place of a streak. */
export function loneGiftBody(gift: GiftReading, id: string): EventBody {
  const { giftId, giftName, giftImageUrl, diamondCount, toUserId, repeatCount } = gift;
  const coins = repeatCount * diamondCount;
  return {
    type: 'GIFT',
    user: gift.sender,
    payload: {
      giftId,
      giftName,
      giftCount: repeatCount,
      coins,
      diamondCount,
      streakId: id,
      streakCount: repeatCount,
      streakCoins: coins,
      streakActive: false,
      streakEnd: true,
      isGiftStreak: false,
      giftImageUrl,
      toUserId,
    },
  };
}

/**
 * WebcastEnvelopeMessage: a treasure chest appears. Without its sender: the message tells an id and a name but no handle,
 * which would be stored as if the sender had lost it. @see envelopeSenderId
 */
export function envelopeBody(data: JsonRecord): EventBody | null {
  const envelope = recordOf(data.envelopeInfo);
  const envelopeId = idOf(envelope.envelopeId);
  if (envelopeId === '' || codeOf(data.display) === ENVELOPE_HIDE) return null;
  const coins = countOf(envelope.diamondCount, GIFT_COUNT_MAX);
  return { type: 'ENVELOPE', user: null, payload: { envelopeId, coins: coins === 0 ? null : coins } };
}

/** Who put up the chest of an envelope message. */
export function envelopeSenderId(data: JsonRecord): string | null {
  return userIdOf(recordOf(data.envelopeInfo).sendUserId);
}
