import { resolve } from 'node:path';
import { operatorKey, overlayKey } from '../auth/access-keys.ts';
import { issueSetupCode } from '../auth/accounts/sign-up.ts';
import type { ChannelRow } from '../db/channel.ts';
import { parseHandle } from '../ingest/handle.ts';
import { connectChannel, disconnectChannel, findChannel, listChannels } from '../live/channels.ts';
import { DEFAULT_HANDLE } from '../simulator/handles.ts';
import { parseSimulateOptions, SIMULATE_OPTIONS } from '../simulator/options.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import type { Command, CommandContext } from './command.ts';
import { type Foundation, openBeside, openOwnFoundation } from './foundation.ts';
import type { Parts } from './parts.ts';
import { untilStopped } from './process.ts';
import {
  configuredHosts,
  startApiServer,
  startJobs,
  startMails,
  startReplays,
  startRooms,
  startStorage,
} from './services.ts';
import { overlayUrl } from './urls.ts';

/** Channels whose overlay addresses are printed at most; the API has them all. */
const CHANNELS_PRINTED_MAX = 20;

/** Options of the simulator that make sense here; the handle is always `@simulated`. */
const SIMULATOR_OPTIONS = SIMULATE_OPTIONS.filter(({ name }) => ['scenario', 'rate', 'seed'].includes(name));

/** `tallylight start`: everything in one process. */
export const startCommand: Command = {
  name: 'start',
  summary: 'run everything in one process; needs no servers',
  usage: '[@handle …] [options]',
  description:
    'Runs ingest, storage, API and jobs in one process. Without DATABASE_URL it brings its own PostgreSQL in the data folder,\n' +
    'without REDIS_URL an in-process bus. Connects the given handles and every channel connected before. Without a handle it\n' +
    `runs a simulator and connects @${DEFAULT_HANDLE} to it, clearly labelled.`,
  positionals: { min: 0, max: 100 },
  options: SIMULATOR_OPTIONS,
  choices: [],
  examples: ['tallylight start', 'tallylight start @yourhandle', 'tallylight start --scenario gift-storm'],
  logLevel: 'warn',
  run: (context) => untilStopped(context, (parts) => start(parts, context)),
};

async function start(
  parts: Parts,
  context: CommandContext,
): Promise<{ readonly failed: Promise<string> | null }> {
  const { config, logger, clock, input, terminal } = context;
  const handles = input.positionals.map(parseHandle);
  const simulate = { ...parseSimulateOptions(input.text), handles: [DEFAULT_HANDLE], port: 0, clock, logger };
  terminal.note('Tallylight is starting …');
  const request = { config, logger, clock, command: 'start' };
  const { failed, ...foundation } = await openOwnFoundation(parts, { ...request, process: 'api' });
  // Each part has only the rights it would have as a process of its own.
  const worker = await openBeside(parts, { ...request, process: 'worker' }, foundation);
  const ingest = await openBeside(parts, { ...request, process: 'ingest' }, foundation);
  const jobs = await startJobs(parts, worker, 'worker');
  await startStorage(parts, worker, { config, jobs });
  await startReplays(worker, jobs);
  await startMails(parts, worker, { config, jobs });
  const api = await startApiServer(parts, foundation, { config, jobs, terminal });
  const simulator =
    handles.length > 0
      ? null
      : await parts.start(
          { name: 'simulator' },
          () => startSimulator(simulate),
          (started) => started.stop(),
        );
  await wantChannels(foundation, handles, simulator);
  await startRooms(parts, ingest, {
    config,
    hostsFor: (handle) =>
      simulator !== null && handle === DEFAULT_HANDLE ? simulator : configuredHosts(config),
  });
  await printAddresses(context, foundation, {
    url: config.api.publicUrl ?? api.url,
    simulator,
    scenario: simulate.scenario ?? 'none',
  });
  return { failed };
}

/**
 * Wants the given handles connected; without any, the simulated one. Without the simulator its channel is not wanted any
 * more, unless it is named: whoever has that handle on TikTok is a stranger.
 */
async function wantChannels(
  foundation: Foundation,
  handles: readonly string[],
  simulator: Simulator | null,
): Promise<void> {
  if (simulator === null && !handles.includes(DEFAULT_HANDLE)) {
    const left = await findChannel(foundation, { handle: DEFAULT_HANDLE, provider: 'TIKTOK' });
    if (left?.wanted === true) await disconnectChannel(foundation, left.id);
  }
  const wanted = simulator === null ? handles : [DEFAULT_HANDLE];
  for (const handle of wanted) await connectChannel(foundation, { handle, provider: 'TIKTOK' });
}

/** Everything a newcomer needs, once, as a short list. */
async function printAddresses(
  { config, terminal }: CommandContext,
  foundation: Foundation,
  {
    url,
    simulator,
    scenario,
  }: { readonly url: string; readonly simulator: Simulator | null; readonly scenario: string },
): Promise<void> {
  const { masterKey } = foundation;
  const setupCode = await issueSetupCode(foundation);
  const { items } = await listChannels(foundation, { first: CHANNELS_PRINTED_MAX, after: null });
  const overlays = items
    .filter((channel) => channel.wanted)
    .map((channel): [string, string] => [`Overlay ${labelOf(channel, simulator)}`, overlayOf(channel, url)]);
  const lines: [string, string][] = [
    ...overlays,
    ['GraphQL', `${url}/graphql`],
    ['Operator key', operatorKey(masterKey)],
    ...(setupCode === null ? [] : [['Setup code', setupCode] satisfies [string, string]]),
    ['Health', `${url}/healthz`],
    ['Data folder', resolve(config.dataDir)],
  ];
  const width = Math.max(...lines.map(([label]) => label.length));
  terminal.print('');
  terminal.print('Tallylight runs.');
  terminal.print('');
  for (const [label, text] of lines) terminal.print(`  ${label.padEnd(width)}  ${text}`);
  terminal.print('');
  terminal.print(
    'Open an overlay address in a browser, or put it into OBS as a browser source. The keys open what they stand for: keep them to yourself.',
  );
  if (setupCode !== null) {
    terminal.print(
      'Nobody has signed up yet: the setup code makes whoever signs up with it the administrator, once.',
    );
  }
  if (simulator !== null) {
    terminal.print(`What you see is made up (scenario ${scenario}). For a real stream: npm start -- @handle`);
  }
  terminal.print('Nothing to be seen? npm run tallylight -- doctor');
  terminal.print('Stop with Ctrl-C.');

  function overlayOf(channel: ChannelRow, base: string): string {
    return overlayUrl(base, {
      id: channel.id,
      key: overlayKey(masterKey, channel.id, channel.overlayKeyVersion),
    });
  }
}

function labelOf(channel: ChannelRow, simulator: Simulator | null): string {
  const simulated = simulator !== null && channel.handle === DEFAULT_HANDLE;
  return `@${channel.handle}${simulated ? ' (simulated)' : ''}`;
}
