import type { Random } from '../lib/random.ts';

/** What can be made to go wrong. `value` is the number that the fault takes, with its default. */
interface FaultDefinition {
  readonly meaning: string;
  readonly value?: { readonly name: string; readonly initial: number };
}

/**
 * Every fault by name. Those of requests fire per request, those of frames per frame, those of rooms once when somebody
 * enters.
 */
export const FAULTS = {
  '429': {
    meaning: 'the sign server answers 429 with Retry-After',
    value: { name: 'seconds to wait', initial: 5 },
  },
  '500': { meaning: 'the sign server answers 500' },
  'no-cookie': { meaning: 'the sign server leaves out the cookie header' },
  'no-upgrade': { meaning: 'the socket is accepted and never upgraded to a WebSocket' },
  'refuse-upgrade': {
    meaning: 'the WebSocket upgrade is refused',
    value: { name: 'HTTP status', initial: 403 },
  },
  'slow-ack': {
    meaning: 'entering the room is acknowledged late, and nothing comes before that',
    value: { name: 'milliseconds', initial: 3_000 },
  },
  silence: { meaning: 'the socket stays open and nothing comes' },
  cut: { meaning: 'the TCP connection is destroyed in the middle of a frame' },
  poison: { meaning: 'a message of a known type whose bytes do not decode is added to the frame' },
  'unknown-type': { meaning: 'a message of a type that the connector does not know is added to the frame' },
  duplicate: { meaning: 'the last message of the frame comes twice, with the same id' },
  'out-of-order': {
    meaning:
      'a large compressed frame is followed at once by a small one, which overtakes it in the stock connector',
    value: { name: 'kilobytes of padding', initial: 2_048 },
  },
  history: {
    meaning: 'the first batch of each connection repeats the last messages, with the same ids',
    value: { name: 'messages', initial: 20 },
  },
  'control-1': {
    meaning: 'the stream is paused (control message 1) after somebody entered',
    value: { name: 'seconds', initial: 10 },
  },
  'control-2': {
    meaning: 'the stream goes on (control message 2) after somebody entered',
    value: { name: 'seconds', initial: 15 },
  },
  'control-3': {
    meaning: 'the stream ends (control message 3) after somebody entered',
    value: { name: 'seconds', initial: 30 },
  },
  'control-4': {
    meaning: 'the stream is suspended (control message 4) after somebody entered',
    value: { name: 'seconds', initial: 30 },
  },
} as const satisfies Readonly<Record<string, FaultDefinition>>;
export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[]; // the keys of the object above are its type's

/** When an active fault fires. With neither limit it fires always, until it is cleared. */
export interface FaultSetting {
  readonly name: FaultName;
  /** Fires this many times, then the fault is over. */
  readonly next?: number;
  /** Fires with this probability, 0 to 1. */
  readonly probability?: number;
  /** The fault's number; its default when left out. @see FAULTS */
  readonly value?: number;
}

/** The switchboard of faults: set and cleared at any time, asked at each place where one may strike. */
export class FaultControl {
  readonly #random: Random;
  readonly #active = new Map<FaultName, { setting: FaultSetting; left: number }>();
  readonly #fired = new Map<FaultName, number>();

  constructor(deps: { readonly random: Random }, initial: readonly FaultSetting[]) {
    this.#random = deps.random;
    for (const setting of initial) this.set(setting);
  }

  /** Switches a fault on, in place of an earlier setting of the same fault. */
  set(setting: FaultSetting): void {
    this.#active.set(setting.name, { setting, left: setting.next ?? Number.POSITIVE_INFINITY });
  }

  /** Switches a fault off; all of them when no name is given. */
  clear(name?: FaultName): void {
    if (name === undefined) this.#active.clear();
    else this.#active.delete(name);
  }

  /** How often a fault has struck. */
  fired(name: FaultName): number {
    return this.#fired.get(name) ?? 0;
  }

  /** The faults that are on. */
  active(): readonly FaultSetting[] {
    return [...this.#active.values()].map((entry) => entry.setting);
  }

  /** Decides whether the fault strikes here and now, and with which number; undefined when not. Counts a strike. */
  strike(name: FaultName): { readonly value: number } | undefined {
    const entry = this.#active.get(name);
    if (entry === undefined) return undefined;
    const { setting } = entry;
    if (setting.probability !== undefined && !this.#random.chance(setting.probability)) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.#active.delete(name);
    this.#fired.set(name, this.fired(name) + 1);
    const definition: FaultDefinition = FAULTS[name];
    return { value: setting.value ?? definition.value?.initial ?? 0 };
  }
}
