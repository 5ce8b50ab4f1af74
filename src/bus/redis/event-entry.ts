import type { UnifiedEvent } from '../../events/unified-event.ts';
import type { Delivery } from '../port.ts';

/** A stream entry as XREADGROUP and XAUTOCLAIM answer it: its id and its fields, `s` sequence and `e` event JSON. */
export type StreamEntry = readonly [id: string, fields: readonly string[]];

/** An entry's event, or the text of an entry that is none of ours. */
export type ParsedEntry =
  | { readonly kind: 'EVENT'; readonly delivery: Delivery }
  | { readonly kind: 'UNREADABLE'; readonly cursor: string; readonly text: string };

/** Reads a stream entry. Whoever may write to Redis can put anything there, so it never throws. */
export function parseStreamEntry([cursor, fields]: StreamEntry): ParsedEntry {
  const sequence = fields[0] === 's' ? fields[1] : undefined;
  const text = fields[2] === 'e' ? fields[3] : undefined;
  const event = text === undefined ? null : parseEvent(text, Number(sequence));
  if (event === null) return { kind: 'UNREADABLE', cursor, text: fields.join(' ') };
  return { kind: 'EVENT', delivery: { cursor, event } };
}

/** Reads a live message: lines of entry id, sequence and event JSON, as the append script writes them. */
export function parseLiveMessage(message: string): readonly ParsedEntry[] {
  return message.split('\n').map((line) => {
    const idEnd = line.indexOf(' ');
    const sequenceEnd = line.indexOf(' ', idEnd + 1);
    const cursor = line.slice(0, Math.max(idEnd, 0));
    const event = parseEvent(line.slice(sequenceEnd + 1), Number(line.slice(idEnd + 1, sequenceEnd)));
    if (event === null) return { kind: 'UNREADABLE', cursor, text: line };
    return { kind: 'EVENT', delivery: { cursor, event } };
  });
}

/** The event with its sequence put in; null when the text is no event of this version. */
function parseEvent(text: string, sequence: number): UnifiedEvent | null {
  if (!Number.isSafeInteger(sequence) || sequence < 1) return null;
  try {
    // Only the append script writes here, and what it writes was an EventDraft; the checks below tell our entries from
    // foreign ones, at a price the hot path can pay.
    const event = JSON.parse(text) as { -readonly [K in keyof UnifiedEvent]: UnifiedEvent[K] } | null;
    if (typeof event !== 'object' || event === null || event.schemaVersion !== '1') return null;
    if (typeof event.eventId !== 'string' || typeof event.channelId !== 'string') return null;
    event.sequence = sequence;
    return event as UnifiedEvent; // an EventDraft and its sequence are a UnifiedEvent
  } catch {
    return null; // not JSON
  }
}
