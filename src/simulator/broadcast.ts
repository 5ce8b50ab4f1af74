import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createRandom } from '../lib/random.ts';
import { direct, pause } from './director.ts';
import type { FaultControl, FaultName } from './faults.ts';
import { flood } from './flood.ts';
import type { HandleState } from './handles.ts';
import { Room } from './room.ts';
import { playScenario, type ScenarioName } from './scenarios.ts';

/** What happens in a live handle's streams. */
export interface BroadcastOptions {
  /** `flood` is for measuring readers. Null: nothing by itself, only what is pushed through the room. */
  readonly scenario: ScenarioName | 'flood' | null;
  readonly seed: number;
  /** Messages per second; the scenario's own rate when null. */
  readonly ratePerSecond: number | null;
  /** How many different viewers there are; the scenario's own number when null. */
  readonly viewers: number | null;
  /** A flood stops after this many messages; null: never. Other scenarios take no notice. */
  readonly floodMessagesMax: number | null;
  /** The stream ends (control message 3) this long after somebody first entered, in milliseconds; null: never. */
  readonly endAfterMs: number | null;
  /** After its end the handle is live again, with a new stream, this much later, in milliseconds; null: never. */
  readonly liveAgainAfterMs: number | null;
}

const CONTROL_FAULTS = [
  [1, 'control-1'],
  [2, 'control-2'],
  [3, 'control-3'],
  [4, 'control-4'],
] as const satisfies readonly (readonly [1 | 2 | 3 | 4, FaultName])[];

/** One handle: its state, its stream of the moment, and what goes on in it. */
export class Broadcast {
  readonly handle: string;
  readonly #deps: { readonly clock: Clock; readonly logger: Logger; readonly faults: FaultControl };
  readonly #options: BroadcastOptions;
  readonly #tasks = new Set<Promise<void>>();
  #state: HandleState;
  #room: Room;
  /** Ends what goes on in the stream of the moment. */
  #curtain = new AbortController();
  #streams = 0;
  /** The stream that somebody has entered already. */
  #begun: Room | null = null;

  constructor(
    deps: { readonly clock: Clock; readonly logger: Logger; readonly faults: FaultControl },
    handle: { readonly name: string; readonly state: HandleState },
    options: BroadcastOptions,
  ) {
    this.#deps = deps;
    this.handle = handle.name;
    this.#state = handle.state;
    this.#options = options;
    this.#room = this.#newRoom();
  }

  get state(): HandleState {
    return this.#state;
  }

  /** The stream of the moment; when the handle is not live, its last one. */
  get room(): Room {
    return this.#room;
  }

  /** True while the stream can be watched by somebody. */
  get onAir(): boolean {
    return this.#state !== 'offline' && this.#room.state === 'LIVE';
  }

  /** Changes what becomes of the handle. `live` begins a new stream: those in the old one are dropped. */
  setState(state: HandleState): void {
    this.#state = state;
    if (state !== 'live') return;
    this.#curtain.abort();
    this.#room.terminate();
    this.#curtain = new AbortController();
    this.#room = this.#newRoom();
  }

  /** Told when somebody has entered the room: the play begins with the first, and then goes on whoever is there. */
  entered(): void {
    if (this.#state === 'suspended') this.#run(() => this.#end(4));
    for (const [action, fault] of CONTROL_FAULTS) {
      const struck = this.#deps.faults.strike(fault);
      if (struck !== undefined)
        this.#run((signal) => this.#controlLater(action, struck.value * 1_000, signal));
    }
    if (this.#begun === this.#room) return;
    this.#begun = this.#room;
    const { scenario, endAfterMs } = this.#options;
    if (scenario !== null) this.#run((signal) => this.#play(scenario, signal));
    if (endAfterMs !== null) this.#run((signal) => this.#controlLater(3, endAfterMs, signal));
  }

  /** Ends what goes on; resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#curtain.abort();
    this.#room.terminate();
    await Promise.all(this.#tasks);
  }

  #newRoom(): Room {
    const { clock, faults } = this.#deps;
    this.#streams += 1;
    const roomId = roomIdOf(this.handle, this.#streams, clock.nowMs());
    return new Room({ clock, faults }, { handle: this.handle, roomId });
  }

  #play(scenario: ScenarioName | 'flood', signal: AbortSignal): Promise<void> {
    const { ratePerSecond, viewers, floodMessagesMax: messagesMax } = this.#options;
    const { clock } = this.#deps;
    const room = this.#room;
    const seed = `${this.#options.seed}/${this.handle}/${this.#streams}`;
    if (scenario === 'flood') {
      return flood({ clock }, { room, signal, options: { seed, ratePerSecond, viewers, messagesMax } });
    }
    const script = playScenario({
      scenario,
      seed,
      hostId: room.hostId,
      ...(ratePerSecond === null ? {} : { ratePerSecond }),
      ...(viewers === null ? {} : { viewers }),
    });
    return direct({ clock }, { room, script, signal });
  }

  async #controlLater(action: 1 | 2 | 3 | 4, afterMs: number, signal: AbortSignal): Promise<void> {
    await pause(afterMs, signal);
    if (signal.aborted) return;
    if (action === 3 || action === 4) await this.#end(action);
    else await this.#room.control(action);
  }

  async #end(action: 3 | 4): Promise<void> {
    this.#curtain.abort();
    await this.#room.control(action);
    const { liveAgainAfterMs } = this.#options;
    if (liveAgainAfterMs === null || this.#state !== 'live') return;
    this.#curtain = new AbortController();
    this.#run(async (signal) => {
      await pause(liveAgainAfterMs, signal);
      if (!signal.aborted) this.setState('live');
    });
  }

  /** Owns a task until it is done. A task that fails is a bug of ours; it ends the play and is logged. */
  #run(task: (signal: AbortSignal) => Promise<void>): void {
    const running = task(this.#curtain.signal)
      .catch((error: unknown) => this.#deps.logger.error({ err: error }, 'simulator.play_failed'))
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }
}

/** A room id as TikTok makes them: 19 digits beginning with 7, new for each stream. */
function roomIdOf(handle: string, stream: number, nowMs: number): string {
  const serial = createRandom(`${handle}/${stream}/${nowMs}`).integer(0, 99_999);
  return `7${(nowMs % 10 ** 13).toString().padStart(13, '0')}${serial.toString().padStart(5, '0')}`;
}
