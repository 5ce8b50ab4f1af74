import { Counter, Gauge, type Registry } from 'prom-client';

/** What live subscriptions show of themselves. */
export interface LiveMetrics {
  readonly subscriptions: Gauge;
  readonly dropped: Counter<'type'>;
  readonly ended: Counter<'reason'>;
}

/** Registers the metrics of live subscriptions. */
export function createLiveMetrics(registry: Registry): LiveMetrics {
  const registers = [registry];
  return {
    subscriptions: new Gauge({
      name: 'tallylight_live_subscriptions',
      help: 'Live subscriptions open in this process.',
      registers,
    }),
    dropped: new Counter({
      name: 'tallylight_live_dropped_total',
      help: 'Events left out for subscribers that read too slowly, by event type.',
      labelNames: ['type'],
      registers,
    }),
    ended: new Counter({
      name: 'tallylight_live_ended_total',
      help: 'Subscriptions ended by the server: overflow (reader too slow), interrupted (bus away), shutdown.',
      labelNames: ['reason'],
      registers,
    }),
  };
}
