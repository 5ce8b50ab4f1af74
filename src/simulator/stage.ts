import type { Random } from '../lib/random.ts';
import { Agenda } from './agenda.ts';
import { createPopulation, type Viewer } from './population.ts';
import type { ScriptMessage } from './script-message.ts';

/** Something to come: a message to send, or an act that decides then what to send. */
export type Cue =
  | { readonly kind: 'SAY'; readonly message: ScriptMessage; readonly metered: boolean }
  | { readonly kind: 'ACT'; readonly act: (stage: Stage, atMs: number) => void };

/** How many of the last chatters are remembered, as those a moderator may delete. */
const CHATTERS_MAX = 20;

/** The state of a scenario being played: who is there, what the counters say, what is to come. */
export class Stage {
  readonly random: Random;
  readonly viewers: readonly Viewer[];
  readonly viewersById: ReadonlyMap<string, Viewer>;
  readonly agenda = new Agenda<Cue>();
  /** The streamer's user id. */
  readonly hostId: string;
  readonly recentChatters: Viewer[] = [];
  /** Coins sent by viewers so far, by user id: the ranks of the viewer-count messages. */
  readonly coinsBySender = new Map<string, number>();
  /** Coins sent since the battle under way began; null when there is none. */
  battleCoins: number | null = null;
  likesTotal = 0;
  followersTotal = 12_000;
  sharesTotal = 0;
  viewersNow: number;
  viewersTotal: number;
  #serial = 0;

  constructor(random: Random, options: { readonly viewers: number; readonly hostId: string }) {
    this.random = random;
    this.viewers = createPopulation(random.fork('population'), options.viewers);
    this.viewersById = new Map(this.viewers.map((viewer) => [viewer.id, viewer]));
    this.hostId = options.hostId;
    this.viewersNow = Math.ceil(options.viewers / 2);
    this.viewersTotal = this.viewersNow;
  }

  /** Sends a message at `atMs`; it counts against the rate that was asked for. */
  say(atMs: number, message: ScriptMessage): void {
    this.agenda.add(atMs, { kind: 'SAY', message, metered: true });
  }

  /** Sends a message that comes whatever the rate is. */
  sayUnmetered(atMs: number, message: ScriptMessage): void {
    this.agenda.add(atMs, { kind: 'SAY', message, metered: false });
  }

  /** Has `act` decide at `atMs` what happens. */
  act(atMs: number, act: (stage: Stage, atMs: number) => void): void {
    this.agenda.add(atMs, { kind: 'ACT', act });
  }

  viewer(): Viewer {
    return this.random.pick(this.viewers);
  }

  /** A number that nobody else on this stage gets, from 1: for ids of streaks, questions, envelopes. */
  nextSerial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  /** The three who sent the most coins, greatest first. */
  greatestGifters(): readonly { readonly viewer: Viewer; readonly coins: number }[] {
    return [...this.coinsBySender]
      .sort((one, other) => other[1] - one[1])
      .slice(0, 3)
      .flatMap(([id, coins]) => {
        const viewer = this.viewersById.get(id);
        return viewer === undefined ? [] : [{ viewer, coins }];
      });
  }

  rememberChatter(viewer: Viewer): void {
    this.recentChatters.push(viewer);
    if (this.recentChatters.length > CHATTERS_MAX) this.recentChatters.shift();
  }
}
