import { partCommand } from './process.ts';
import { startApiServer, startJobs } from './services.ts';

/** `tallylight api`: GraphQL, overlays, health and metrics. */
export const apiCommand = partCommand({
  name: 'api',
  summary: 'serve GraphQL, overlays, health and metrics',
  description:
    'Answers queries, subscriptions over WebSocket and SSE, overlays, /healthz, /readyz and /metrics.',
  begin: async (parts, foundation, { config, terminal }) => {
    const jobs = await startJobs(parts, foundation, 'sender');
    const { url } = await startApiServer(parts, foundation, { config, jobs, terminal });
    return `The API listens on ${url}. Stop with Ctrl-C.`;
  },
});
