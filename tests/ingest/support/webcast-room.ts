import { createHmac } from 'node:crypto';
import type { StateChanges } from '../../../src/bus/port.ts';
import type { EventDraft, UnifiedEvent, UnifiedEventOf } from '../../../src/events/unified-event.ts';
import type { SourceMessage } from '../../../src/ingest/live-source.ts';
import {
  createNormaliser,
  type NormalisedBatch,
  type Normaliser,
  type NormaliserContext,
} from '../../../src/ingest/normalise/normaliser.ts';
import { NOTHING_RESTORED } from '../../../src/ingest/normalise/normaliser-state.ts';
import type { ChannelId, SessionId, StreamId } from '../../../src/lib/ids.ts';

/** Messages as a room sends them, and a normaliser for it. */

export const NOW = 1_790_000_000_000;
export const CHANNEL = `chn_${'a'.repeat(32)}` as ChannelId; // the form that parseId accepts
export const STREAM = `str_${'b'.repeat(32)}` as StreamId;
export const SESSION = `ses_${'c'.repeat(32)}` as SessionId;
export const OTHER_SESSION = `ses_${'d'.repeat(32)}` as SessionId;

/** A keyed pseudonym like the vault's. */
export function pseudonym(value: string): string {
  return `p-${createHmac('sha256', 'test key').update(value).digest('hex').slice(0, 16)}`;
}

export function room(changes: Partial<NormaliserContext> = {}): Normaliser {
  return createNormaliser({
    channelId: CHANNEL,
    streamId: STREAM,
    sessionId: SESSION,
    provider: 'TIKTOK',
    source: 'LIVE',
    clock: { nowMs: () => NOW },
    pseudonym,
    restored: NOTHING_RESTORED,
    development: false,
    ...changes,
  });
}

/** A decoded message; its id is unique unless given. */
export function message(
  rawType: string,
  data: Readonly<Record<string, unknown>>,
  changes: Partial<SourceMessage> = {},
): SourceMessage {
  const messageId = changes.messageId === undefined ? '7290000000000000001' : changes.messageId;
  return {
    rawType,
    messageId,
    receivedAt: NOW,
    history: false,
    content: { kind: 'DECODED', data },
    ...changes,
  };
}

export function user(id: string, changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id,
    nickname: `Name of ${id}`,
    displayId: `handle_${id}`,
    secUid: `sec_${id}`,
    idStr: id,
    avatarThumb: { urlList: [`https://p16.example/${id}.webp`], uri: 'x' },
    followInfo: { followingCount: '1', followerCount: '2', followStatus: '0' },
    ...changes,
  };
}

/** The user above as events show it. */
export function eventUser(id: string) {
  return {
    userId: id,
    uniqueId: `handle_${id}`,
    displayName: `Name of ${id}`,
    avatarUrl: `https://p16.example/${id}.webp`,
    followRole: 'NONE' as const,
    isModerator: false,
    isSubscriber: false,
    teamMemberLevel: 0,
  };
}

export function common(createTime: number | string = NOW): Record<string, unknown> {
  return { method: 'x', msgId: '1', roomId: '2', createTime: String(createTime) };
}

export function drafts(batch: NormalisedBatch): EventDraft[] {
  return batch.items.map((item) => item.draft);
}

/** The only event that the message gives. */
export function only(batch: NormalisedBatch): EventDraft {
  const [draft, ...rest] = drafts(batch);
  if (draft === undefined || rest.length > 0)
    throw new Error(`expected one event, got ${batch.items.length}`);
  return draft;
}

/** What a bus does: refuses an event it has, numbers the others, keeps the producer state. */
export class RecordingBus {
  readonly events: UnifiedEvent[] = [];
  readonly state = new Map<string, string>();
  readonly #ids = new Set<string>();

  append(batch: NormalisedBatch): void {
    for (const { draft, stateChanges } of batch.items) {
      if (!this.#ids.has(draft.eventId)) {
        this.#ids.add(draft.eventId);
        // A draft with its sequence is an event; the union's members are spread alike.
        this.events.push({ ...draft, sequence: this.events.length + 1 } as UnifiedEvent);
      }
      this.apply(stateChanges);
    }
  }

  apply(changes: StateChanges | undefined): void {
    for (const key of changes?.delete ?? []) this.state.delete(key);
    for (const [key, value] of Object.entries(changes?.set ?? {})) this.state.set(key, value);
  }

  gifts(): UnifiedEventOf<'GIFT'>[] {
    return this.events.filter((event) => event.eventType === 'GIFT');
  }
}
