import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import {
  type JoinedStream,
  joinStream,
  type SessionWrite,
  type StreamEndWrite,
} from '../../db/ingest-session.ts';
import type { GapReason, GapRow } from '../../db/stream-gap.ts';
import { raceAbort } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { type ChannelId, newId, type StreamId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { ChannelRecorder } from '../channel-recorder.ts';
import type { IngestMetrics } from '../ingest-metrics.ts';
import type { ConnectionEnd, SourceConnection, SourceError, SourceMessage } from '../live-source.ts';
import { createNormaliser, type NormalisedBatch, type Normaliser } from '../normalise/normaliser.ts';
import { LAST_KEY, type RestoredState, restoreState } from '../normalise/normaliser-state.ts';
import { persist } from '../persist.ts';
import { readStoredGifts } from '../stored-gifts.ts';
import type { ConnectionReport, SupervisedRoom } from '../supervisor/supervisor.ts';
import type { AppendLoop } from './append-loop.ts';
import type { DeadLetterOutbox } from './dead-letter-outbox.ts';
import type { EventQueue } from './event-queue.ts';
import { endingOf } from './session-ending.ts';

export interface RoomDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly metrics: IngestMetrics;
  readonly queue: EventQueue;
  readonly loop: AppendLoop;
  readonly recorder: ChannelRecorder;
  readonly outbox: DeadLetterOutbox;
}

export interface RoomOptions {
  readonly channelId: ChannelId;
  /** Adds stacks to ERROR events. */
  readonly development: boolean;
}

/** The stream that the room's channel is in. */
interface CurrentStream {
  readonly id: StreamId;
  readonly externalId: string;
  readonly stored: JoinedStream;
  over: boolean;
}

/** One connection's session. */
interface Session {
  row: SessionWrite;
  readonly normaliser: Normaliser;
}

/**
 * What is done with one channel's connections: messages become events and go to the queue, sessions, gaps and the
 * stream's end go to the recorder. Only joining a room not seen before waits for the database: its events refer to its row.
 */
export class Room implements SupervisedRoom {
  readonly #deps: RoomDeps;
  readonly #options: RoomOptions;
  #stream: CurrentStream | null = null;
  #session: Session | null = null;
  /** Makes the events about failed attempts after a session: the last session's. */
  #lastNormaliser: Normaliser | null = null;
  #lastFailure: string | null = null;
  #gap: GapRow | null = null;
  #unseenEnded: boolean = false;

  constructor(deps: RoomDeps, options: RoomOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async beginSession(connection: SourceConnection, signal: AbortSignal): Promise<boolean> {
    const { clock, queue, recorder, loop, logger } = this.#deps;
    const { channelId } = this.#options;
    const stream = await this.#join(connection, signal);
    // What the last session left in the queue belongs to the state that this one starts from.
    await raceAbort(loop.idle(), signal);
    const restored = await this.#restore(stream, signal);
    const startedAt = clock.nowMs();
    const id = newId('session', startedAt);
    const normaliser = createNormaliser({
      channelId,
      streamId: stream.id,
      sessionId: id,
      provider: 'TIKTOK',
      source: 'LIVE',
      clock,
      pseudonym: (value) => this.#deps.vault.pseudonym({ channelId, value }),
      restored,
      development: this.#options.development,
    });
    const row: SessionWrite = {
      id,
      streamId: stream.id,
      channelId,
      state: 'LIVE',
      reason: null,
      startedAt,
      endedAt: null,
    };
    this.#session = { row, normaliser };
    this.#lastNormaliser = normaliser;
    this.#lastFailure = null;
    recorder.session(row);
    queue.push([normaliser.lifecycle.connected()]);
    logger.info({ channelId, streamId: stream.id, sessionId: id }, 'session.connected');
    return this.#findGap(stream, restored);
  }

  accept(messages: readonly SourceMessage[]): Promise<void> | null {
    const { metrics, queue } = this.#deps;
    if (this.#session === null) return null;
    const counts = { DECODED: 0, UNKNOWN: 0, UNDECODABLE: 0 };
    for (const message of messages) counts[message.content.kind] += 1;
    metrics.messages.inc({ kind: 'decoded' }, counts.DECODED);
    if (counts.UNKNOWN > 0) metrics.messages.inc({ kind: 'unknown' }, counts.UNKNOWN);
    if (counts.UNDECODABLE > 0) metrics.messages.inc({ kind: 'undecodable' }, counts.UNDECODABLE);
    this.#emit(this.#session.normaliser.accept(messages));
    return queue.full;
  }

  /** Closes gift streaks that have been idle. To be called about once a second. */
  tick(): void {
    if (this.#session !== null) this.#emit(this.#session.normaliser.tick(this.#deps.clock.nowMs()));
  }

  endSession(ending: { readonly end: ConnectionEnd; readonly willReconnect: boolean }): void {
    const { clock, queue, recorder, logger, metrics } = this.#deps;
    if (this.#session === null) return;
    const { normaliser, row } = this.#session;
    this.#session = null;
    if (ending.willReconnect) {
      metrics.reconnects.inc({ cause: ending.end.kind === 'ABORTED' ? 'silence' : 'closed' });
    }
    this.#emit(normaliser.finish());
    const { code, reason, streamEnd } = endingOf(ending.end, ending.willReconnect);
    const ended = streamEnd === null ? null : normaliser.lifecycle.streamEnded(streamEnd);
    if (ended !== null) queue.push([ended]);
    queue.push([normaliser.lifecycle.disconnected({ code, reason, willReconnect: ending.willReconnect })]);
    recorder.session({
      ...row,
      state: ending.willReconnect ? 'FAILED' : 'ENDED',
      reason,
      endedAt: clock.nowMs(),
    });
    logger.info({ channelId: row.channelId, sessionId: row.id, code }, 'session.disconnected');
  }

  openGap(gap: { readonly reason: 'SILENCE' | 'DISCONNECTED'; readonly fromMs: number }): void {
    // Cut off while we were not reading: we were too slow, not the network.
    const heldBack = gap.reason === 'DISCONNECTED' && this.#deps.queue.full !== null;
    this.#openGap(heldBack ? 'OVERLOAD' : gap.reason, gap.fromMs);
  }

  closeGap(toMs: number): void {
    if (this.#gap === null) return;
    this.#deps.recorder.gap({ ...this.#gap, to: Math.max(this.#gap.from, toMs) });
    this.#gap = null;
  }

  /** Events that arrived since `fromMs` will never be published: the bus was away until the worker's end. */
  lost(fromMs: number): void {
    if (this.#stream === null) return;
    const gap = this.#gap ?? this.#newGap(this.#stream.id, 'DISCONNECTED', fromMs);
    const from = Math.min(gap.from, fromMs);
    const to = this.#stream.over ? Math.max(from, this.#deps.clock.nowMs()) : null;
    this.#deps.recorder.gap({ ...gap, from, to });
  }

  endStream(reason: 'ENDED' | 'SUSPENDED' | 'OFFLINE'): void {
    const { clock, recorder } = this.#deps;
    const endedAt = clock.nowMs();
    if (this.#stream === null) {
      this.#endUnseenStreams(reason, endedAt);
      return;
    }
    if (this.#stream.over) return;
    this.#stream.over = true;
    this.closeGap(endedAt);
    recorder.streamEnd({ streamId: this.#stream.id, reason, endedAt });
  }

  attemptFailed(error: SourceError): void {
    const { metrics, queue } = this.#deps;
    metrics.failures.inc({ failure: error.failure });
    // Said once: an outage of an hour is not sixty events.
    if (this.#lastNormaliser === null || this.#lastFailure === error.failure) return;
    this.#lastFailure = error.failure;
    if (error.failure === 'OFFLINE') return; // the stream's end says it
    queue.push([this.#lastNormaliser.lifecycle.error({ code: error.failure, error })]);
  }

  report(report: ConnectionReport): void {
    const { recorder, clock } = this.#deps;
    recorder.state({ ...report, channelId: this.#options.channelId, updatedAt: clock.nowMs() });
    const { state } = report;
    if (this.#session === null || (state !== 'LIVE' && state !== 'STALLED')) return;
    if (this.#session.row.state === state) return;
    this.#session.row = { ...this.#session.row, state, reason: report.reason };
    recorder.session(this.#session.row);
  }

  #emit(batch: NormalisedBatch): void {
    if (batch.items.length > 0) this.#deps.queue.push(batch.items);
    if (batch.undecodable.length > 0) this.#deps.outbox.post(batch.undecodable);
  }

  /** What an earlier worker left, and this one never joined, is over. Said once: a channel may be offline for days. */
  #endUnseenStreams(reason: StreamEndWrite['reason'], learnedAt: number): void {
    if (this.#unseenEnded) return;
    this.#unseenEnded = true;
    const { channelId } = this.#options;
    this.#deps.recorder.unseenStreamsEnd({ channelId, provider: 'TIKTOK', except: null, reason, learnedAt });
  }

  async #join(connection: SourceConnection, signal: AbortSignal): Promise<CurrentStream> {
    const { db, clock, recorder } = this.#deps;
    const { channelId } = this.#options;
    const { roomId, title, simulated } = connection;
    if (this.#stream?.externalId === roomId && !this.#stream.over) return this.#stream;
    if (this.#stream !== null) this.endStream('OFFLINE'); // the room before, which nobody saw end
    await raceAbort(recorder.settled(), signal);
    const joinedAt = clock.nowMs();
    const stored = await persist(this.#deps, signal, () => {
      const id = newId('stream', joinedAt);
      return joinStream(db, {
        id,
        channelId,
        provider: 'TIKTOK',
        externalId: roomId,
        title,
        simulated,
        joinedAt,
      });
    });
    this.#stream = { id: stored.id, externalId: roomId, stored, over: false };
    recorder.streamJoined(stored.id);
    return this.#stream;
  }

  /** The producer state to go on from: the bus's, and where the bus has forgotten it, what is stored. */
  async #restore(stream: CurrentStream, signal: AbortSignal): Promise<RestoredState> {
    const { bus, db, vault, clock } = this.#deps;
    const { channelId } = this.#options;
    const busState = await persist(this.#deps, signal, () => bus.readState(channelId));
    const remembered = busState.get(LAST_KEY)?.startsWith(stream.id) === true;
    const isNew = stream.stored.lastEventAt === null;
    const storedGifts =
      remembered || isNew
        ? []
        : await persist(this.#deps, signal, () =>
            readStoredGifts({ db, vault }, { channelId, streamId: stream.id, nowMs: clock.nowMs() }),
          );
    return restoreState({
      streamId: stream.id,
      busState,
      storedGifts,
      storedLikesMax: stream.stored.likesMax,
    });
  }

  /** A gap that an earlier worker left: open in the database, or from the last thing it is known to have seen. */
  #findGap(stream: CurrentStream, restored: RestoredState): boolean {
    if (this.#gap !== null) return true;
    const { openGap, lastEventAt } = stream.stored;
    const lastSeenAt = restored.lastArrivedAt ?? lastEventAt;
    if (openGap !== null) {
      this.#gap = { ...openGap, streamId: stream.id, channelId: this.#options.channelId, to: null };
    } else if (lastSeenAt !== null) {
      this.#openGap('RESTART', lastSeenAt);
    }
    return this.#gap !== null;
  }

  #openGap(reason: GapReason, from: number): void {
    if (this.#stream === null || this.#stream.over || this.#gap !== null) return;
    this.#gap = this.#newGap(this.#stream.id, reason, from);
    this.#deps.recorder.gap(this.#gap);
  }

  #newGap(streamId: StreamId, reason: GapReason, from: number): GapRow {
    const id = newId('gap', this.#deps.clock.nowMs());
    return { id, streamId, channelId: this.#options.channelId, from, to: null, reason };
  }
}
