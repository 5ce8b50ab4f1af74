import { known, type ScriptMessage } from './script-message.ts';
import type { Stage } from './stage.ts';

/** How long a simulated battle lasts, in milliseconds. Real ones last 301 s; nobody waits that long for a demonstration. */
const BATTLE_MS = 60_000;

/** From the end of one battle to the beginning of the next, in milliseconds. */
const PAUSE_MS = 20_000;

/** The scores come this often, in milliseconds. */
const SCORES_EVERY_MS = 2_000;

/** TikTok's words for what a battle message tells. */
const ACTION_OPEN = 4;
const ACTION_FINISH = 5;
const STATUS_STARTED = 1;
const STATUS_FINISHED = 2;

/** The streamer on the other side, made up. */
const OPPONENT = {
  id: '6799999999999999999',
  name: 'The Other Simulator',
  handle: 'other.simulator',
} as const;

interface Battle {
  readonly battleId: string;
  readonly startedMs: number;
  opponentScore: number;
}

/** A battle against another streamer: opened, scored every 2 s, finished; then, after a pause, the next one. */
export function battle(stage: Stage, atMs: number): void {
  const fight: Battle = {
    battleId: `${7_400_000_000_000_000_000n + BigInt(stage.nextSerial())}`,
    startedMs: atMs,
    opponentScore: 0,
  };
  stage.battleCoins = 0;
  stage.sayUnmetered(atMs, battleMessage(stage, fight, ACTION_OPEN));
  stage.act(atMs + SCORES_EVERY_MS, (_, nowMs) => scores(stage, fight, nowMs));
}

function scores(stage: Stage, fight: Battle, atMs: number): void {
  if (atMs - fight.startedMs >= BATTLE_MS) {
    stage.sayUnmetered(atMs, battleMessage(stage, fight, ACTION_FINISH));
    stage.battleCoins = null;
    stage.act(atMs + PAUSE_MS, battle);
    return;
  }
  fight.opponentScore += stage.random.chance(0.5) ? stage.random.integer(1, 40) : 0;
  stage.sayUnmetered(
    atMs,
    known('WebcastLinkMicArmies', {
      battleId: fight.battleId,
      armies: {
        [stage.hostId]: { hostscore: `${stage.battleCoins ?? 0}`, userArmies: greatestGifters(stage) },
        [OPPONENT.id]: { hostscore: `${fight.opponentScore}` },
      },
      triggerReason: 1,
      battleSettings: settings(fight, STATUS_STARTED),
    }),
  );
  stage.act(atMs + SCORES_EVERY_MS, (_, nowMs) => scores(stage, fight, nowMs));
}

function battleMessage(
  stage: Stage,
  fight: Battle,
  action: typeof ACTION_OPEN | typeof ACTION_FINISH,
): ScriptMessage {
  const ours = stage.battleCoins ?? 0;
  const finished = action === ACTION_FINISH;
  return known('WebcastLinkMicBattle', {
    battleId: fight.battleId,
    action,
    battleSettings: settings(fight, finished ? STATUS_FINISHED : STATUS_STARTED),
    anchorsInfo: [
      {
        key: stage.hostId,
        value: { user: { userId: stage.hostId, nickName: 'The Simulator', displayId: 'simulated' } },
      },
      {
        key: OPPONENT.id,
        value: { user: { userId: OPPONENT.id, nickName: OPPONENT.name, displayId: OPPONENT.handle } },
      },
    ],
    battleResult: finished
      ? {
          [stage.hostId]: {
            userId: stage.hostId,
            score: `${ours}`,
            result: outcome(ours, fight.opponentScore),
          },
          [OPPONENT.id]: {
            userId: OPPONENT.id,
            score: `${fight.opponentScore}`,
            result: outcome(fight.opponentScore, ours),
          },
        }
      : {},
  });
}

function settings(
  fight: Battle,
  status: number,
): { readonly battleId: string; readonly duration: number; readonly status: number } {
  return { battleId: fight.battleId, duration: BATTLE_MS / 1_000, status };
}

/** 0 won, 1 lost, 2 a draw. */
function outcome(own: number, other: number): 0 | 1 | 2 {
  if (own === other) return 2;
  return own > other ? 0 : 1;
}

function greatestGifters(
  stage: Stage,
): readonly { readonly userId: string; readonly score: string; readonly nickname: string }[] {
  return stage
    .greatestGifters()
    .map(({ viewer, coins }) => ({ userId: viewer.id, score: `${coins}`, nickname: viewer.nickname }));
}
