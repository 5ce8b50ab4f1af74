import type { Kysely } from 'kysely';
import type { EventBus } from '../bus/port.ts';
import { type ConnectionWrite, claimConnection, updateConnection } from '../db/channel-connection.ts';
import type { Database } from '../db/connect.ts';
import { isPermanentFailure } from '../db/failure-kind.ts';
import {
  endStream,
  endUnseenStreams,
  type SessionWrite,
  type StreamEndWrite,
  type UnseenStreamEnds,
  upsertGap,
  upsertSession,
} from '../db/ingest-session.ts';
import type { GapRow } from '../db/stream-gap.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { ChannelId, StreamId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { pause, withinMs } from '../lib/pause.ts';

/** Rows of each kind that wait for the database. An outage of an hour with a reconnect a minute stays below. */
const WAITING_ROWS_MAX = 128;

const RETRY = { minMs: 200, maxMs: 10_000 };

export interface RecorderDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly logger: Logger;
  readonly random: () => number;
  /** Of the lease the rows are written under. */
  readonly epoch: number;
}

type Row =
  | { readonly kind: 'STATE'; readonly row: Omit<ConnectionWrite, 'epoch'> }
  | { readonly kind: 'SESSION'; readonly row: SessionWrite }
  | { readonly kind: 'GAP'; readonly row: GapRow }
  | { readonly kind: 'STREAM'; readonly row: StreamEndWrite }
  | { readonly kind: 'UNSEEN'; readonly row: UnseenStreamEnds };

/**
 * Writes where a channel stands to the database, beside the path of events: nothing ever waits for it. Each row waits as
 * it last was; while the database is away, rows are written over by newer versions of themselves.
 */
export class ChannelRecorder {
  readonly #deps: RecorderDeps;
  readonly #channelId: ChannelId;
  readonly #waiting = new Map<string, Row>();
  readonly #stopping = new AbortController();
  #writing: Promise<void> | null = null;
  #claimed: boolean = false;

  constructor(deps: RecorderDeps, channelId: ChannelId) {
    this.#deps = deps;
    this.#channelId = channelId;
  }

  state(row: Omit<ConnectionWrite, 'epoch'>): void {
    this.#put('state', { kind: 'STATE', row });
  }

  session(row: SessionWrite): void {
    this.#put(row.id, { kind: 'SESSION', row });
  }

  gap(row: GapRow): void {
    this.#put(row.id, { kind: 'GAP', row });
  }

  streamEnd(row: StreamEndWrite): void {
    this.#put(row.streamId, { kind: 'STREAM', row });
  }

  /** The channel's streams that an earlier worker left are over. */
  unseenStreamsEnd(row: UnseenStreamEnds): void {
    this.#put('unseen', { kind: 'UNSEEN', row });
  }

  /** Resolves when nothing waits any more: what is written elsewhere from then on has the last word. */
  async settled(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  /** The stream has become the channel's current one. */
  streamJoined(streamId: StreamId): void {
    void this.#notify({ kind: 'STREAM', streamId });
  }

  /** Writes nothing any more: the rows are another worker's. */
  abandon(): void {
    this.#stopping.abort();
    this.#waiting.clear();
  }

  /** Writes what waits, for at most `patienceMs`; then gives up the rest. */
  async stop(patienceMs: number): Promise<void> {
    if (this.#writing !== null) await withinMs(this.#writing, patienceMs);
    this.#stopping.abort();
  }

  #put(key: string, row: Row): void {
    if (this.#stopping.signal.aborted) return;
    this.#waiting.set(key, row);
    if (this.#waiting.size > WAITING_ROWS_MAX) this.#makeRoom();
    this.#writing ??= this.#write();
  }

  /** Two gaps of one stream become one that spans both: more may be missing than is, never less. */
  #makeRoom(): void {
    const gaps = [...this.#waiting].flatMap(([key, { kind, row }]) => (kind === 'GAP' ? [{ key, row }] : []));
    const [older, newer] = gaps;
    if (older !== undefined && newer !== undefined && older.row.streamId === newer.row.streamId) {
      this.#waiting.delete(older.key);
      this.#waiting.set(newer.key, { kind: 'GAP', row: { ...newer.row, from: older.row.from } });
      return;
    }
    const oldest = [...this.#waiting.keys()].find((key) => key !== 'state');
    if (oldest === undefined) return;
    this.#waiting.delete(oldest);
    this.#deps.logger.warn({ channelId: this.#channelId }, 'ingest.record_dropped');
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    const { logger, random } = this.#deps;
    for (let failures = 0; !this.#stopping.signal.aborted; ) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const [key, row] = next;
      try {
        await this.#writeRow(row);
        failures = 0;
        this.#drop(key, row);
        await this.#notify({ kind: row.kind, streamId: 'streamId' in row.row ? row.row.streamId : null });
      } catch (error) {
        if (isPermanentFailure(error)) {
          logger.error({ err: error, channelId: this.#channelId, row: row.kind }, 'ingest.record_refused');
          this.#drop(key, row);
          continue;
        }
        failures += 1;
        if (failures === 1) {
          logger.warn({ err: error, channelId: this.#channelId }, 'ingest.database_unreachable');
        }
        await pause(backoffMs(failures, random, RETRY), this.#stopping.signal);
      }
    }
    this.#writing = null;
  }

  /** Takes the row off the list, unless a newer version of it came meanwhile. */
  #drop(key: string, row: Row): void {
    if (this.#waiting.get(key) === row) this.#waiting.delete(key);
  }

  async #writeRow(row: Row): Promise<void> {
    const { db } = this.#deps;
    switch (row.kind) {
      case 'STATE':
        return this.#writeState(row.row);
      case 'SESSION':
        return upsertSession(db, row.row);
      case 'GAP':
        return upsertGap(db, row.row);
      case 'STREAM':
        return endStream(db, row.row);
      case 'UNSEEN':
        return endUnseenStreams(db, row.row);
    }
  }

  /** The first write under a lease claims the row; one that finds another's claim later is not for us to make any more. */
  async #writeState(row: Omit<ConnectionWrite, 'epoch'>): Promise<void> {
    const { db, epoch, logger } = this.#deps;
    const write = { ...row, epoch };
    if (!this.#claimed) {
      await claimConnection(db, write);
      this.#claimed = true;
      return;
    }
    if (!(await updateConnection(db, write))) {
      logger.warn({ channelId: this.#channelId }, 'ingest.connection_claimed_elsewhere');
    }
  }

  /** Fire and forget: who missed it reads the row at the next one. */
  async #notify(change: { readonly kind: Row['kind']; readonly streamId: StreamId | null }): Promise<void> {
    const { bus } = this.#deps;
    await bus.notify(`stream:${this.#channelId}`, JSON.stringify(change)).catch(() => {});
  }
}
