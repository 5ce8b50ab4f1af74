import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { waitFor } from '../../tests/support/wait.ts';
import { loadMessage, MESSAGES_PER_FRAME } from './frames.ts';

/**
 * The provider's side of the bench, in a process of its own: makes the frames of a round beforehand, then writes them as
 * fast as the reader takes them.
 */
export type FeedCommand =
  | { readonly kind: 'PREPARE'; readonly handle: string; readonly messages: number }
  | { readonly kind: 'PLAY'; readonly handle: string }
  | { readonly kind: 'STOP' };
export type FeedReport =
  | { readonly kind: 'READY'; readonly webHost: string; readonly signUrl: string }
  | { readonly kind: 'PREPARED'; readonly bytesPerMessage: number }
  | { readonly kind: 'PLAYED' };

const handles = (process.argv[2] ?? '').split(',');
const simulator = await startSimulator({
  clock: systemClock,
  logger: createLogger('error'),
  seed: 1,
  handles,
});
const frames = new Map<string, Buffer[]>();
const numbers = new Map<string, number>();
const report = (message: FeedReport) => process.send?.(message);

function prepare(handle: string, messages: number): void {
  const room = simulator.room(handle);
  const prepared: Buffer[] = [];
  let bytes = 0;
  let index = numbers.get(handle) ?? 0;
  for (let made = 0; made < messages; made += MESSAGES_PER_FRAME) {
    const batch = Array.from({ length: MESSAGES_PER_FRAME }, () => loadMessage(room, index++));
    bytes += batch.reduce((sum, message) => sum + message.payload.length, 0);
    prepared.push(room.encodeFrame(batch, { gzip: true }));
  }
  numbers.set(handle, index);
  frames.set(handle, prepared);
  report({ kind: 'PREPARED', bytesPerMessage: bytes / messages });
}

async function play(handle: string): Promise<void> {
  const room = simulator.room(handle);
  // A reader that has just started may not have entered the room yet: nothing is sent to an empty one.
  await waitFor(() => room.viewers === 1, { message: 'the reader to enter the room' });
  for (const frame of frames.get(handle) ?? []) await room.writeFrame(frame);
  frames.delete(handle);
  report({ kind: 'PLAYED' });
}

process.on('message', (command: FeedCommand) => {
  if (command.kind === 'PREPARE') prepare(command.handle, command.messages);
  else if (command.kind === 'PLAY') void play(command.handle);
  else process.disconnect();
});
// Also when the bench itself dies.
process.once('disconnect', () => void simulator.stop());
report({ kind: 'READY', webHost: simulator.webHost, signUrl: simulator.signUrl });
