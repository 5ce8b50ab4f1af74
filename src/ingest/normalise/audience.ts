import type { EventBody } from './body.ts';
import { codeOf, countOf, type JsonRecord, recordOf } from './reading.ts';
import { userOf } from './user.ts';

/** No room has had more; keeps sums of a hostile stream inside what JSON can carry exactly. */
export const VIEWERS_MAX = 1_000_000_000;
const SUB_MONTHS_MAX = 10_000;
/** tiktok-live-proto: MemberMessageAction.JOINED; SubscribingStatus UNKNOWN, ONCE and CIRCLE, all others undo a subscription. */
const MEMBER_JOINED = 1;
const SUBSCRIBING_STATUS_MAX = 2;
/** WebcastSocialMessage.action as seen on the wire. */
const SOCIAL_FOLLOWED = 1;
const SOCIAL_SHARED = 3;

const NO_PAYLOAD: Readonly<Record<string, never>> = {};

/** WebcastMemberMessage: a join. Its other actions (moderator granted, kicked, …) stay RAW. */
export function joinBody(data: JsonRecord): EventBody | null {
  if (codeOf(data.action) !== MEMBER_JOINED) return null;
  return {
    type: 'JOIN',
    user: userOf(data.user),
    payload: { viewerCount: countOf(data.memberCount, VIEWERS_MAX), joinCount: 1 },
  };
}

/** WebcastSocialMessage: by the key of its text first, which survived changes of the numbers; else by its action. */
export function socialBody(data: JsonRecord): EventBody | null {
  const key = recordOf(recordOf(data.common).displayText).key;
  const action = codeOf(data.action);
  const text = typeof key === 'string' ? key : '';
  if (text.includes('follow')) return { type: 'FOLLOW', user: userOf(data.user), payload: NO_PAYLOAD };
  if (text.includes('share')) return { type: 'SHARE', user: userOf(data.user), payload: NO_PAYLOAD };
  if (action === SOCIAL_FOLLOWED) return { type: 'FOLLOW', user: userOf(data.user), payload: NO_PAYLOAD };
  if (action === SOCIAL_SHARED) return { type: 'SHARE', user: userOf(data.user), payload: NO_PAYLOAD };
  return null;
}

/** WebcastSubNotifyMessage: somebody subscribed or renewed. Cancellations and refunds stay RAW. */
export function subscribeBody(data: JsonRecord): EventBody | null {
  if (codeOf(data.subscribingStatus) > SUBSCRIBING_STATUS_MAX) return null;
  const user = userOf(data.user);
  return {
    type: 'SUBSCRIBE',
    user: user === null ? null : { ...user, isSubscriber: true },
    payload: { subMonth: countOf(data.subMonth, SUB_MONTHS_MAX) },
  };
}

/** WebcastRoomUserSeqMessage: how many watch now, and how many came since the start. The rank list is left out. */
export function roomUserBody(data: JsonRecord): EventBody {
  return {
    type: 'ROOM_USER',
    user: null,
    payload: {
      viewerCount: countOf(data.total, VIEWERS_MAX),
      totalViewerCount: countOf(data.totalUser, VIEWERS_MAX),
    },
  };
}
