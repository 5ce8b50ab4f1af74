import { partCommand } from './process.ts';
import { startJobs, startMails, startReplays, startStorage } from './services.ts';

/** `tallylight worker`: storage, replays and the jobs that keep the database in order. */
export const workerCommand = partCommand({
  name: 'worker',
  summary: 'store events, run replays and jobs',
  description:
    'Takes events from the bus and stores them, runs the replays that were asked for, sends mails, and makes partitions ahead.',
  begin: async (parts, foundation, { config }) => {
    const jobs = await startJobs(parts, foundation, 'worker');
    await startStorage(parts, foundation, { config, jobs });
    await startReplays(foundation, jobs);
    await startMails(parts, foundation, { config, jobs });
    return 'The worker runs. Stop with Ctrl-C.';
  },
});
