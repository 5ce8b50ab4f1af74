import {
  FAULT_CHOICES,
  HANDLE_CHOICES,
  parseSimulateOptions,
  SCENARIO_CHOICES,
  SIMULATE_OPTIONS,
} from '../simulator/options.ts';
import { startSimulator } from '../simulator/simulator.ts';
import type { Command, CommandContext } from './command.ts';
import { EXIT_CODES, type ExitCode } from './exit-code.ts';
import { Parts } from './parts.ts';
import { refuseTakenPort } from './port.ts';
import { stopRequested } from './stop.ts';

/** `tallylight simulate`: a stand-in for TikTok on this machine. */
export const simulateCommand: Command = {
  name: 'simulate',
  summary: 'run a stand-in for TikTok on this machine, with faults on request',
  usage: '[options]',
  description:
    "Stands in for TikTok's web routes, the sign service and the push WebSocket, on 127.0.0.1, in genuine Webcast protobuf.\n" +
    'Everything it says is made up. Point Tallylight at it with the settings it prints. `tallylight start` without a handle\n' +
    'runs one by itself.',
  positionals: { min: 0, max: 0 },
  options: SIMULATE_OPTIONS,
  choices: [
    { title: 'Scenarios', words: SCENARIO_CHOICES },
    { title: 'Faults', words: FAULT_CHOICES },
    { title: 'Handles that are always there', words: HANDLE_CHOICES },
  ],
  examples: [
    'tallylight simulate --scenario gift-storm --port 4500',
    'tallylight simulate --fault 429=10:2,cut:1%',
    'tallylight simulate --end-after 60 --live-again-after 20',
  ],
  logLevel: 'warn',
  run: runSimulate,
};

async function runSimulate({ input, terminal, logger, clock }: CommandContext): Promise<ExitCode> {
  const settings = parseSimulateOptions(input.text);
  const parts = new Parts(logger);
  const simulator = await refuseTakenPort(settings.port, () =>
    parts.start(
      { name: 'simulator' },
      () => startSimulator({ ...settings, clock, logger }),
      (started) => started.stop(),
    ),
  );
  terminal.print(
    `The simulator runs. Live: ${simulator.handles.map((handle) => `@${handle}`).join(', ')}. Point Tallylight at it with:`,
  );
  terminal.print(`  TIKTOK_WEB_HOST=${simulator.webHost}`);
  terminal.print(`  TIKTOK_WEBCAST_HOST=${simulator.webcastHost}`);
  terminal.print(`  TIKTOK_SIGN_URL=${simulator.signUrl}`);
  terminal.print('Stop with Ctrl-C.');
  await stopRequested(terminal.stopRequested);
  await parts.stopAll();
  return EXIT_CODES.OK;
}
