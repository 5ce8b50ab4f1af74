import type { UnifiedEvent } from '../unified-event.ts';

/** An event's payload in the two parts it is stored in. */
export interface SplitPayload {
  /** What may stand in clear. */
  readonly open: object;
  /** What names people or is their words; null when there is nothing of the kind. Sealed before it is stored. */
  readonly personal: object | null;
}

/** Takes the personal fields out of an event's payload. Laid over each other again, the parts are the payload. */
export function splitPayload(event: UnifiedEvent): SplitPayload {
  switch (event.eventType) {
    case 'CHAT': {
      const { message, ...open } = event.payload;
      return { open, personal: message === '' ? null : { message } };
    }
    case 'QUESTION': {
      const { message, ...open } = event.payload;
      return { open, personal: message === '' ? null : { message } };
    }
    case 'GIFT': {
      const { toUserId, ...open } = event.payload;
      return { open, personal: toUserId === null ? null : { toUserId } };
    }
    case 'BATTLE': {
      const { participants, ...open } = event.payload;
      return { open, personal: participants.length === 0 ? null : { participants } };
    }
    case 'MESSAGE_DELETED': {
      const { userIds, ...open } = event.payload;
      return { open, personal: userIds.length === 0 ? null : { userIds } };
    }
    case 'RAW': {
      const { data, ...open } = event.payload;
      return { open, personal: data === null ? null : { data } };
    }
    case 'ERROR': {
      const { message, stack, ...open } = event.payload;
      return { open, personal: { message, stack } };
    }
    default:
      return { open: event.payload, personal: null };
  }
}
