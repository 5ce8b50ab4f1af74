import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ConsumerLag } from '../../bus/port.ts';

/** What storage tells about itself under `/metrics`. */
export interface StorageMetrics {
  readonly events: Counter<'outcome'>;
  readonly batchSeconds: Histogram;
  readonly batchEvents: Histogram;
  readonly delaySeconds: Histogram;
  readonly waiting: Gauge;
}

/** Registers storage's metrics. `lag` is asked whenever they are read. */
export function createStorageMetrics(registry: Registry, lag: () => Promise<ConsumerLag>): StorageMetrics {
  const registers = [registry];
  const lagEvents = new Gauge({
    name: 'tallylight_storage_lag_events',
    help: 'Events on the bus that are not yet committed to the database.',
    registers,
  });
  new Gauge({
    name: 'tallylight_storage_lag_seconds',
    help: 'Age of the oldest event on the bus that is not yet committed.',
    registers,
    async collect() {
      const { pendingEvents, oldestMs } = await lag();
      lagEvents.set(pendingEvents);
      this.set(oldestMs / 1000);
    },
  });
  return {
    events: new Counter({
      name: 'tallylight_storage_events_total',
      help: 'Events handled: stored, duplicate (already stored) or rejected (to the dead letters).',
      labelNames: ['outcome'],
      registers,
    }),
    batchSeconds: new Histogram({
      name: 'tallylight_storage_batch_seconds',
      help: 'Time from taking a batch to its commit.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    batchEvents: new Histogram({
      name: 'tallylight_storage_batch_events',
      help: 'Events per batch.',
      buckets: [1, 5, 10, 25, 50, 100, 250, 500, 1000],
      registers,
    }),
    delaySeconds: new Histogram({
      name: 'tallylight_storage_delay_seconds',
      help: 'Time from an event’s arrival here to its commit, of the oldest event of each batch.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
      registers,
    }),
    waiting: new Gauge({
      name: 'tallylight_storage_waiting',
      help: 'Batches waiting for the database to come back.',
      registers,
    }),
  };
}
