import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';

/**
 * The provider's side: chat at an even rate, each message carrying the time at which its frame was written. A process of its
 * own, so that its work is not on the clock of what is measured.
 */
export type PacedFeedCommand =
  | { readonly kind: 'PLAY'; readonly handle: string; readonly perSecond: number; readonly seconds: number }
  | { readonly kind: 'STOP' };
export type PacedFeedReport =
  | { readonly kind: 'READY'; readonly webHost: string; readonly signUrl: string }
  | { readonly kind: 'PLAYED'; readonly messages: number };

/** A frame every 10 ms: at 500 messages/s that is 5 messages to a frame. */
const FRAMES_PER_SECOND = 100;
const VIEWERS = 500;

const handles = (process.argv[2] ?? '').split(',');
const simulator = await startSimulator({
  clock: systemClock,
  logger: createLogger('error'),
  seed: 1,
  handles,
});
const report = (message: PacedFeedReport) => process.send?.(message);

/** Milliseconds since the epoch with the fraction, comparable between processes of one machine. */
const preciseNowMs = () => performance.timeOrigin + performance.now();

async function play(handle: string, perSecond: number, seconds: number): Promise<void> {
  const room = simulator.room(handle);
  const perFrame = perSecond / FRAMES_PER_SECOND;
  const startedAt = performance.now();
  let index = 0;
  for (let frame = 0; frame < seconds * FRAMES_PER_SECOND; frame++) {
    const dueMs = startedAt + (frame * 1_000) / FRAMES_PER_SECOND - performance.now();
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
    const messages = Array.from({ length: perFrame }, () => {
      const viewer = index++ % VIEWERS;
      const user = {
        id: String(7_000_000_000 + viewer),
        nickname: `Viewer ${viewer}`,
        displayId: `viewer.${viewer}`,
      };
      return room.message('WebcastChatMessage', { user, content: `written at ${preciseNowMs().toFixed(3)}` });
    });
    await room.sendFrame(messages);
  }
  report({ kind: 'PLAYED', messages: index });
}

process.on('message', (command: PacedFeedCommand) => {
  if (command.kind === 'PLAY') void play(command.handle, command.perSecond, command.seconds);
  else process.disconnect();
});
// Also when the bench itself dies.
process.once('disconnect', () => void simulator.stop());
report({ kind: 'READY', webHost: simulator.webHost, signUrl: simulator.signUrl });
