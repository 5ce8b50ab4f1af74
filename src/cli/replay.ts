import type { Kysely } from 'kysely';
import { selectChannels } from '../db/channel.ts';
import type { Database } from '../db/connect.ts';
import { selectSessions } from '../db/session.ts';
import { replayFile } from '../events/replay/file.ts';
import { cancelReplay, requestReplay } from '../events/replay/replay.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import { type ChannelId, parseId, type SessionId } from '../lib/ids.ts';
import { pause } from '../lib/pause.ts';
import { findChannel } from '../live/channels.ts';
import { type Command, type CommandContext, numberOption } from './command.ts';
import { EXIT_CODES, type ExitCode, RefusedError, UsageError } from './exit-code.ts';
import { type Foundation, openOwnFoundation, openSharedFoundation } from './foundation.ts';
import { Parts } from './parts.ts';
import { replayOverApi } from './replay-api.ts';
import { followReplay, type ReplayProgress } from './replay-progress.ts';
import { startJobs, startReplays, startStorage } from './services.ts';

/** `tallylight replay`: a stored session, or a file of provider messages, once more through the bus. */
export const replayCommand: Command = {
  name: 'replay',
  summary: 'send a stored session, or a file of provider messages, through the bus again',
  usage: '<sessionId> [--speed N]   |   replay --file <path> --channel <handle or id> [--speed N]',
  description:
    'Sends the events of a stored session again, as a new session marked REPLAY: overlays and subscribers see them, totals do not\n' +
    'count them. With --file, a file of provider messages (.ndjson, one per line) is ingested the same way.\n' +
    'A session is replayed by the Tallylight that runs; when none does, by this command itself. A file is always ingested by\n' +
    'this command itself: a Tallylight without DATABASE_URL must be stopped before. Ctrl-C cancels.',
  positionals: { min: 0, max: 1 },
  options: [
    {
      name: 'speed',
      placeholder: 'N',
      description: 'Times the original speed, from 0.1 to 1000.',
      defaultText: 'as fast as possible',
    },
    {
      name: 'file',
      placeholder: 'path',
      description: 'Ingest this file instead of a session.',
      defaultText: null,
    },
    {
      name: 'channel',
      placeholder: 'handle or id',
      description: 'The channel that the file belongs to.',
      defaultText: null,
    },
  ],
  choices: [],
  examples: [
    'tallylight replay ses_0123456789abcdef0123456789abcdef --speed 10',
    'tallylight replay --file room.ndjson --channel @simulated',
  ],
  logLevel: 'warn',
  run: runReplay,
};

async function runReplay(context: CommandContext): Promise<ExitCode> {
  const { input } = context;
  const speed = numberOption(input, 'speed');
  const path = input.text('file');
  const channel = input.text('channel');
  const [session] = input.positionals;
  if (path === undefined && session !== undefined && channel === undefined) {
    const sessionId = parseId('session', session);
    if (sessionId === undefined) {
      throw new UsageError(`"${session}" is not a session's id: those are ses_ and 32 hexadecimal digits.`);
    }
    return replaySession(context, { sessionId, speed });
  }
  if (path !== undefined && channel !== undefined && session === undefined) {
    return inOwnProcess(context, (foundation) =>
      replayFromFile(context, foundation, { path, channel, speed }),
    );
  }
  throw new UsageError('name either a session, or --file and --channel. See: tallylight replay --help');
}

interface SessionRequest {
  readonly sessionId: SessionId;
  readonly speed: number | null;
}

async function replaySession(context: CommandContext, request: SessionRequest): Promise<ExitCode> {
  const outcome = await replayOverApi(context, request);
  if (outcome !== null) return outcome;
  return inOwnProcess(context, async (foundation, jobs) => {
    await startReplays(foundation, jobs);
    const sessionId = await requestReplay({ ...foundation, jobs }, request);
    return followReplay(context.terminal, {
      read: () => readReplay(foundation.db, sessionId),
      cancel: () => cancelReplay(foundation, { sessionId }),
    });
  });
}

/** Runs what needs a bus and a storage worker, with all of it in this process, and stops it again. */
async function inOwnProcess(
  context: CommandContext,
  work: (foundation: Foundation, jobs: JobQueue) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { config, logger, clock } = context;
  const parts = new Parts(logger);
  const open =
    config.database.url !== null && config.bus.redisUrl !== null ? openSharedFoundation : openOwnFoundation;
  try {
    const foundation = await open(parts, { config, logger, clock, command: 'replay', process: 'worker' });
    const jobs = await startJobs(parts, foundation, 'worker');
    await startStorage(parts, foundation, { config, jobs });
    return await work(foundation, jobs);
  } finally {
    await parts.stopAll();
  }
}

async function readReplay(db: Kysely<Database>, sessionId: SessionId): Promise<ReplayProgress> {
  const [session] = await selectSessions(db, [sessionId]);
  if (session === undefined) throw new RefusedError('the replay was deleted while it ran.');
  const { state, stateReason, replay } = session;
  return { state, reason: stateReason, done: replay?.eventsDone ?? 0, total: replay?.eventsTotal ?? null };
}

async function replayFromFile(
  { terminal, logger }: CommandContext,
  foundation: Foundation,
  file: { readonly path: string; readonly channel: string; readonly speed: number | null },
): Promise<ExitCode> {
  const channelId = await channelOf(foundation, file.channel);
  const { state, messages } = await replayFile(
    { ...foundation, logger: logger.child({ module: 'replay' }), pause },
    {
      path: file.path,
      speed: file.speed,
      channelId,
      signal: terminal.stopRequested,
      onProgress: ({ done, total }) => terminal.note(`ingested ${done} of ${total} messages`),
    },
  );
  terminal.print(
    state === 'ENDED'
      ? `ingested ${messages} ${messages === 1 ? 'message' : 'messages'}: done.`
      : 'cancelled.',
  );
  return state === 'ENDED' ? EXIT_CODES.OK : EXIT_CODES.CANCELLED;
}

/** The channel of an id or of a handle, as a person types it. @throws RefusedError when there is none. */
async function channelOf(foundation: Foundation, typed: string): Promise<ChannelId> {
  const id = parseId('channel', typed);
  const channel =
    id === undefined
      ? await findChannel(foundation, { provider: 'TIKTOK', handle: typed })
      : (await selectChannels(foundation.db, [id]))[0];
  if (!channel) throw new RefusedError(`there is no channel ${typed}.`);
  return channel.id;
}
