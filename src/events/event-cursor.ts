/** An event's place in the history of its channel: the keyset that pages continue from. */
export interface EventCursor {
  /** Milliseconds since the Unix epoch. */
  readonly occurredAt: number;
  readonly sequence: number;
}

const FORMAT = 'e1';
const PATTERN = /^e1:(\d{1,15}):(\d{1,16})$/;

/** The cursor as opaque text. It says when and where, never who or what. */
export function encodeEventCursor(cursor: EventCursor): string {
  return Buffer.from(`${FORMAT}:${cursor.occurredAt}:${cursor.sequence}`).toString('base64url');
}

/** The cursor behind `text`, or undefined when it is not one of ours. */
export function decodeEventCursor(text: string): EventCursor | undefined {
  const match = PATTERN.exec(Buffer.from(text, 'base64url').toString('latin1'));
  if (match === null) return undefined;
  const cursor = { occurredAt: Number(match[1]), sequence: Number(match[2]) };
  // base64url decoding forgives what it does not know; only what encodes to the same text is ours.
  const exact = Number.isSafeInteger(cursor.sequence) && encodeEventCursor(cursor) === text;
  return exact ? cursor : undefined;
}
