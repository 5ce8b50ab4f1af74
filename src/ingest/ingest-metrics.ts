import { Counter, Gauge, type Registry } from 'prom-client';
import type { EventType } from '../events/unified-event.ts';
import type { CoalescedCounts } from './room/event-queue.ts';
import { CONNECTION_STATES, type ConnectionState } from './supervisor/connection-state.ts';

/**
 * What ingest tells Prometheus. Labels are closed sets (event types, states, outcomes): no channel, handle or room, which
 * would grow without end and name people.
 */
export interface IngestMetrics {
  readonly messages: Counter<'kind'>;
  readonly events: Counter<'type' | 'outcome'>;
  readonly reconnects: Counter<'cause'>;
  readonly failures: Counter<'failure'>;
  readonly deadLetters: Counter<'outcome'>;
}

/** What a look at one room gives; read when Prometheus asks. */
export interface RoomGauges {
  readonly state: ConnectionState;
  readonly queued: number;
  /** The queue's share that is full, 0 to 1. */
  readonly pressure: number;
  readonly coalesced: CoalescedCounts;
}

/** Registers the metrics. `rooms` is asked at every scrape; `coalescedBefore` counts rooms that are gone. */
export function createIngestMetrics(
  registry: Registry,
  look: { rooms(): Iterable<RoomGauges>; coalescedBefore(): CoalescedCounts },
): IngestMetrics {
  const registers = [registry];
  registerRoomGauges(registers, look);
  return {
    messages: new Counter({
      name: 'tallylight_ingest_messages_total',
      help: 'Messages read from providers, by whether they could be decoded.',
      labelNames: ['kind'],
      registers,
    }),
    events: new Counter<'type' | 'outcome'>({
      name: 'tallylight_ingest_events_total',
      help: 'Events given to the bus, by type and by whether they were new.',
      labelNames: ['type', 'outcome'],
      registers,
    }),
    reconnects: new Counter<'cause'>({
      name: 'tallylight_ingest_reconnects_total',
      help: 'Connections that ended and are opened anew, by why: closed by the other side, or silent for too long.',
      labelNames: ['cause'],
      registers,
    }),
    failures: new Counter({
      name: 'tallylight_ingest_connect_failures_total',
      help: 'Attempts to join a room that failed, by how.',
      labelNames: ['failure'],
      registers,
    }),
    deadLetters: new Counter({
      name: 'tallylight_ingest_dead_letters_total',
      help: 'Undecodable messages, by whether they could be kept.',
      labelNames: ['outcome'],
      registers,
    }),
  };
}

function registerRoomGauges(
  registers: Registry[],
  look: { rooms(): Iterable<RoomGauges>; coalescedBefore(): CoalescedCounts },
): void {
  new Gauge({
    name: 'tallylight_ingest_rooms',
    help: 'Rooms this worker holds, by the state of their connection.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of CONNECTION_STATES) this.set({ state }, 0);
      for (const room of look.rooms()) this.inc({ state: room.state });
    },
  });
  new Gauge({
    name: 'tallylight_ingest_queue_events',
    help: 'Events between normaliser and bus, over all rooms.',
    registers,
    collect() {
      this.set([...look.rooms()].reduce((sum, room) => sum + room.queued, 0));
    },
  });
  new Gauge({
    name: 'tallylight_ingest_pressure',
    help: 'How full the fullest queue is, 0 to 1. From 0.25 on joins and likes are merged; at 1 sockets are held back.',
    registers,
    collect() {
      this.set(Math.max(0, ...[...look.rooms()].map((room) => room.pressure)));
    },
  });
  new Counter({
    name: 'tallylight_ingest_coalesced_events_total',
    help: 'Events merged into others under pressure, by type.',
    labelNames: ['type'],
    registers,
    collect() {
      this.reset();
      for (const counts of [look.coalescedBefore(), ...[...look.rooms()].map((room) => room.coalesced)]) {
        // The object's keys are its type's.
        for (const type of Object.keys(counts) as (keyof CoalescedCounts & EventType)[])
          this.inc({ type }, counts[type]);
      }
    },
  });
}
