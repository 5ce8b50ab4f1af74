import { inspectPipeline, type PipelineLink } from '../health/pipeline-health.ts';
import type { LinkState } from '../health/pipeline-link.ts';
import { listChannels } from '../live/channels.ts';
import { createApiClient, NoApiError } from './api-client.ts';
import type { Command, CommandContext } from './command.ts';
import { askHealth, type ChannelHealth } from './doctor-api.ts';
import { EXIT_CODES, type ExitCode, RefusedError } from './exit-code.ts';
import { connectFoundation } from './foundation.ts';
import { Parts } from './parts.ts';

/** Channels looked at when none is named. */
const CHANNELS_MAX = 20;

const LABELS: Readonly<Record<LinkState, string>> = {
  OK: 'OK  ',
  WARNING: 'WARN',
  FAILING: 'FAIL',
  UNKNOWN: '?   ',
};

/** The part of the database and of nothing else: what the in-process bus knows died with its process. */
const KNOWN_WITHOUT_BUS: ReadonlySet<string> = new Set(['DATABASE', 'PROVIDER', 'SIGN_SERVICE', 'ROOM']);

/** `tallylight doctor`: why do I see nothing? */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'tell link by link why nothing is seen, and what to do',
  usage: '[--channel <handle or id>]',
  description:
    'Looks at every link between the room and the overlay: database, bus, provider, sign service, room, events arriving,\n' +
    'storage, subscribers, overlay. Asks the API on the configured port; when none answers, looks at the servers itself.\n' +
    'Ends with 1 when a link fails.',
  positionals: { min: 0, max: 0 },
  options: [
    {
      name: 'channel',
      placeholder: 'handle or id',
      description: 'Look at this channel only.',
      defaultText: 'every channel that somebody wants connected',
    },
  ],
  choices: [],
  examples: ['tallylight doctor', 'tallylight doctor --channel @simulated'],
  logLevel: 'warn',
  run: runDoctor,
};

async function runDoctor(context: CommandContext): Promise<ExitCode> {
  const { config, terminal } = context;
  const wanted = context.input.text('channel');
  const api = await createApiClient(config);
  if (api === null) {
    terminal.print(
      `FAIL  start         there is no master key: Tallylight was never started with the data folder ${config.dataDir}.`,
    );
    terminal.print('                    → npm start');
    return EXIT_CODES.FAILED;
  }
  try {
    const channels = await askHealth(api, { channelsMax: CHANNELS_MAX, signal: terminal.stopRequested });
    terminal.print(`OK    api           ${api.url} answers.`);
    return report(context, select(channels, wanted), false);
  } catch (error) {
    if (!(error instanceof NoApiError)) throw error;
    terminal.print(`FAIL  api           ${error.message}`);
    terminal.print(`                    → ${error.advice}`);
  }
  if (config.database.url !== null) {
    report(context, select(await inspectDirectly(context), wanted), config.bus.redisUrl === null);
  }
  return EXIT_CODES.FAILED;
}

/** The channels that were asked for. @throws RefusedError when the named one does not exist. */
function select(channels: readonly ChannelHealth[], wanted: string | undefined): readonly ChannelHealth[] {
  if (wanted === undefined) return channels.filter((channel) => channel.wanted);
  const handle = wanted.replace(/^@/, '').toLowerCase();
  const chosen = channels.filter((channel) => channel.id === wanted || channel.handle === handle);
  if (chosen.length === 0) throw new RefusedError(`there is no channel ${wanted}.`);
  return chosen;
}

/** Without the API: the same look at the same servers. */
async function inspectDirectly(context: CommandContext): Promise<readonly ChannelHealth[]> {
  const { config, logger, clock } = context;
  const parts = new Parts(logger);
  try {
    const { db, bus } = await connectFoundation(parts, {
      config,
      logger,
      clock,
      command: 'doctor',
      process: null,
    });
    const { items } = await listChannels({ db }, { first: CHANNELS_MAX, after: null });
    const health: ChannelHealth[] = [];
    for (const { id, handle, wanted } of items) {
      health.push({
        id,
        handle,
        wanted,
        links: await inspectPipeline({ db, bus, clock }, { channelId: id }),
      });
    }
    return health;
  } finally {
    await parts.stopAll();
  }
}

function report(context: CommandContext, channels: readonly ChannelHealth[], withoutBus: boolean): ExitCode {
  const { print } = context.terminal;
  if (channels.length === 0) {
    print('WARN  channels      no channel is wanted.');
    print('                    → Connect one: the mutation channelConnect, or `tallylight start @handle`.');
  }
  let failing = false;
  for (const channel of channels) {
    print('');
    print(`@${channel.handle} (${channel.id})`);
    for (const link of channel.links.map((found) => (withoutBus ? withoutTheBus(found) : found))) {
      print(`${LABELS[link.state]}  ${link.link.toLowerCase().padEnd(12)}  ${link.detail}`);
      if (link.advice !== null) print(`                    → ${link.advice}`);
      failing ||= link.state === 'FAILING';
    }
  }
  return failing ? EXIT_CODES.FAILED : EXIT_CODES.OK;
}

function withoutTheBus(link: PipelineLink): PipelineLink {
  if (KNOWN_WITHOUT_BUS.has(link.link)) return link;
  const detail = 'not known: without REDIS_URL this lives in the process that does not answer.';
  return { ...link, state: 'UNKNOWN', detail, advice: null };
}
