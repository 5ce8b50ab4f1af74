import { z } from 'zod';
import { LINK_STATES, PIPELINE_LINKS, type PipelineLink } from '../health/pipeline-link.ts';

/** How long the API may take, in milliseconds. A look at one channel takes up to 8 s. */
const ANSWER_MS = 20_000;

/** A channel and how its pipeline stands. */
export interface ChannelHealth {
  readonly id: string;
  readonly handle: string;
  readonly wanted: boolean;
  readonly links: readonly PipelineLink[];
}

/** What came of asking. */
export type ApiAnswer =
  | { readonly kind: 'ANSWERED'; readonly channels: readonly ChannelHealth[] }
  | { readonly kind: 'FAILED'; readonly detail: string; readonly advice: string };

const CHANNELS = `query DoctorChannels($first: Int!) {
  channels(first: $first) { edges { node { id handle wanted } } }
}`;
const HEALTH = `query DoctorHealth($channelId: ID!) {
  pipelineHealth(channelId: $channelId) { link state detail advice }
}`;

const channelsSchema = z.object({
  data: z.object({
    channels: z.object({
      edges: z.array(
        z.object({ node: z.object({ id: z.string(), handle: z.string(), wanted: z.boolean() }) }),
      ),
    }),
  }),
});
const healthSchema = z.object({
  data: z.object({
    pipelineHealth: z.array(
      z.object({
        link: z.enum(PIPELINE_LINKS),
        state: z.enum(LINK_STATES),
        detail: z.string(),
        advice: z.string().nullable(),
      }),
    ),
  }),
});

/** Asks a running API about its channels. Whatever goes wrong becomes a sentence and what to do. */
export async function askApi(request: {
  readonly url: string;
  readonly key: string;
  readonly channelsMax: number;
  readonly signal: AbortSignal;
}): Promise<ApiAnswer> {
  try {
    const { data } = channelsSchema.parse(await post(request, CHANNELS, { first: request.channelsMax }));
    const channels: ChannelHealth[] = [];
    for (const { node } of data.channels.edges) {
      const health = healthSchema.parse(await post(request, HEALTH, { channelId: node.id }));
      channels.push({ ...node, links: health.data.pipelineHealth });
    }
    return { kind: 'ANSWERED', channels };
  } catch (error) {
    return failure(request.url, error);
  }
}

/** The server answered, and not with what was asked for. */
class AnswerError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

async function post(
  request: { readonly url: string; readonly key: string; readonly signal: AbortSignal },
  query: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const response = await fetch(`${request.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${request.key}` },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.any([request.signal, AbortSignal.timeout(ANSWER_MS)]),
  });
  if (!response.ok) throw new AnswerError(response.status);
  return response.json();
}

function failure(url: string, error: unknown): ApiAnswer {
  if (error instanceof AnswerError && error.status === 401) {
    return {
      kind: 'FAILED',
      detail: `${url} answers and does not know our key.`,
      advice: 'Run doctor with the same data folder or master key as the process that answers.',
    };
  }
  if (error instanceof AnswerError || error instanceof z.ZodError || error instanceof SyntaxError) {
    return {
      kind: 'FAILED',
      detail: `something answers at ${url}, and it is not this version of Tallylight.`,
      advice: 'Another program may have the port: choose another one with TALLYLIGHT_PORT.',
    };
  }
  return {
    kind: 'FAILED',
    detail: `nothing answers at ${url}.`,
    advice: 'Start Tallylight: npm start. If it runs on another port, set TALLYLIGHT_PORT.',
  };
}
