import { z } from 'zod';
import type { SessionId } from '../lib/ids.ts';
import { type ApiClient, createApiClient, NoApiError } from './api-client.ts';
import type { CommandContext } from './command.ts';
import { type ExitCode, RefusedError } from './exit-code.ts';
import { followReplay, type ReplayProgress } from './replay-progress.ts';

const REPLAY = `mutation CliReplay($input: SessionReplayInput!) {
  sessionReplay(input: $input) {
    ... on SessionReplayPayload { session { id } }
    ... on UserError { message }
  }
}`;
const PROGRESS = `query CliReplayProgress($id: ID!) {
  session(id: $id) { state stateReason replay { eventsDone eventsTotal } }
}`;
const CANCEL = `mutation CliReplayCancel($input: SessionReplayCancelInput!) {
  sessionReplayCancel(input: $input) { ... on UserError { message } }
}`;

const replaySchema = z.object({
  sessionReplay: z.union([
    z.object({ session: z.object({ id: z.string() }) }),
    z.object({ message: z.string() }),
  ]),
});
const count = z.coerce.number();
const progressSchema = z.object({
  session: z.object({
    state: z.string(),
    stateReason: z.string().nullable(),
    replay: z.object({ eventsDone: count, eventsTotal: count.nullable() }),
  }),
});

/**
 * Has the Tallylight that runs on this machine replay a session, and tells its progress until it has ended. Null when
 * none answers.
 * @throws RefusedError when it will not.
 */
export async function replayOverApi(
  context: CommandContext,
  request: { readonly sessionId: SessionId; readonly speed: number | null },
): Promise<ExitCode | null> {
  const api = await createApiClient(context.config);
  if (api === null) return null;
  let id: string;
  try {
    const { sessionReplay } = await api.ask({
      query: REPLAY,
      variables: { input: request },
      schema: replaySchema,
    });
    if ('message' in sessionReplay) throw new RefusedError(sessionReplay.message);
    id = sessionReplay.session.id;
  } catch (error) {
    if (error instanceof NoApiError) return null;
    throw error;
  }
  return followReplay(context.terminal, {
    read: () => readProgress(api, id),
    cancel: () => api.ask({ query: CANCEL, variables: { input: { sessionId: id } }, schema: z.unknown() }),
  });
}

async function readProgress(api: ApiClient, id: string): Promise<ReplayProgress> {
  const { session } = await api.ask({ query: PROGRESS, variables: { id }, schema: progressSchema });
  const { eventsDone: done, eventsTotal: total } = session.replay;
  return { state: session.state, reason: session.stateReason, done, total };
}
