import { z } from 'zod';
import { LINK_STATES, PIPELINE_LINKS, type PipelineLink } from '../health/pipeline-link.ts';
import type { ApiClient } from './api-client.ts';

/** A channel and how its pipeline stands. */
export interface ChannelHealth {
  readonly id: string;
  readonly handle: string;
  readonly wanted: boolean;
  readonly links: readonly PipelineLink[];
}

const CHANNELS = `query DoctorChannels($first: Int!) {
  channels(first: $first) { edges { node { id handle wanted } } }
}`;
const HEALTH = `query DoctorHealth($channelId: ID!) {
  pipelineHealth(channelId: $channelId) { link state detail advice }
}`;

const channelsSchema = z.object({
  channels: z.object({
    edges: z.array(z.object({ node: z.object({ id: z.string(), handle: z.string(), wanted: z.boolean() }) })),
  }),
});
const healthSchema = z.object({
  pipelineHealth: z.array(
    z.object({
      link: z.enum(PIPELINE_LINKS),
      state: z.enum(LINK_STATES),
      detail: z.string(),
      advice: z.string().nullable(),
    }),
  ),
});

/**
 * Asks a running API about its first channels.
 * @throws NoApiError, RefusedError
 */
export async function askHealth(
  api: ApiClient,
  options: { readonly channelsMax: number; readonly signal: AbortSignal },
): Promise<readonly ChannelHealth[]> {
  const { channelsMax, signal } = options;
  const { channels } = await api.ask({
    query: CHANNELS,
    variables: { first: channelsMax },
    schema: channelsSchema,
    signal,
  });
  const health: ChannelHealth[] = [];
  for (const { node } of channels.edges) {
    const variables = { channelId: node.id };
    const { pipelineHealth } = await api.ask({ query: HEALTH, variables, schema: healthSchema, signal });
    health.push({ ...node, links: pipelineHealth });
  }
  return health;
}
