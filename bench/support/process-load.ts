import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What a process took since the last look. */
export interface ProcessLoad {
  /** Highest resident set seen at any look or sample, in megabytes (10⁶ bytes). */
  readonly rssMb: number;
  /** 99th percentile of how late the event loop was, in milliseconds. */
  readonly loopP99Ms: number;
  /** CPU time of all threads, in milliseconds. */
  readonly cpuMs: number;
}

/** How finely the event loop's delay is sampled, in milliseconds; the sampling interval itself is not counted as delay. */
const RESOLUTION_MS = 1;
const RSS_SAMPLE_MS = 100;

/** Begins measuring this process; each call of the result reads and begins anew. */
export function watchProcessLoad(): () => ProcessLoad {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let rss = 0;
  let cpu = process.cpuUsage();
  const sample = () => {
    rss = Math.max(rss, process.memoryUsage.rss());
  };
  setInterval(sample, RSS_SAMPLE_MS).unref();
  return () => {
    sample();
    const spent = process.cpuUsage(cpu);
    const load = {
      rssMb: rss / 1e6,
      loopP99Ms: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS),
      cpuMs: (spent.user + spent.system) / 1_000,
    };
    delay.reset();
    rss = 0;
    cpu = process.cpuUsage();
    return load;
  };
}
