import type { BattleParticipant } from '../../events/unified-event.ts';
import type { EventBody } from './body.ts';
import {
  codeOf,
  countOf,
  idOf,
  type JsonRecord,
  listOf,
  NAME_CHARS_MAX,
  recordOf,
  textOf,
  userIdOf,
} from './reading.ts';

const BATTLE_PARTICIPANTS_MAX = 20;
const BATTLE_SCORE_MAX = 1_000_000_000_000;
/** tiktok-live-proto: LinkMicBattleBattleAction. The others are talk before a battle (invite, accept, …) and stay RAW. */
const ACTION_OPEN = 4;
const ACTION_FINISH = 5;
const ACTION_CUT_SHORT = 6;

/** Reads battle messages; remembers the hosts' names, which score updates leave out, for the battle going on. */
interface BattleReader {
  /** WebcastLinkMicBattle */
  battle(data: JsonRecord): EventBody | null;
  /** WebcastLinkMicArmies */
  armies(data: JsonRecord): EventBody | null;
}

export function createBattleReader(): BattleReader {
  let namedBattleId = '';
  let names: ReadonlyMap<string, string> = new Map();
  return {
    battle(data) {
      const battleId = idOf(data.battleId);
      const battleStatus = statusOf(codeOf(data.action));
      if (battleId === '' || battleStatus === null) return null;
      const hosts = hostNames(data);
      if (hosts.size > 0) {
        namedBattleId = battleId;
        names = hosts;
      }
      const participants = participantsOf(finalScores(data), hosts);
      return { type: 'BATTLE', user: null, payload: { battleId, battleStatus, participants } };
    },
    armies(data) {
      const battleId = idOf(data.battleId);
      if (battleId === '') return null;
      const known = battleId === namedBattleId ? names : new Map<string, string>();
      const participants = participantsOf(runningScores(data), known);
      return { type: 'BATTLE', user: null, payload: { battleId, battleStatus: 'UPDATED', participants } };
    },
  };
}

function statusOf(action: number): 'STARTED' | 'ENDED' | null {
  if (action === ACTION_OPEN) return 'STARTED';
  return action === ACTION_FINISH || action === ACTION_CUT_SHORT ? 'ENDED' : null;
}

/** Hosts with their names, in the order the provider lists them. */
function hostNames(data: JsonRecord): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const entry of listOf(data.anchorsInfo).slice(0, BATTLE_PARTICIPANTS_MAX)) {
    const user = recordOf(recordOf(recordOf(entry).value).user);
    const userId = userIdOf(user.userId);
    if (userId !== null) names.set(userId, textOf(user.nickName, NAME_CHARS_MAX));
  }
  return names;
}

/** Scores by host as a battle's end gives them: per host, and for team battles per member of a team. */
function finalScores(data: JsonRecord): ReadonlyMap<string, number> {
  const scores = new Map<string, number>();
  for (const team of listOf(data.teamBattleResult).slice(0, BATTLE_PARTICIPANTS_MAX)) {
    for (const member of listOf(recordOf(team).teamUser).slice(0, BATTLE_PARTICIPANTS_MAX)) {
      addScore(scores, recordOf(member).userId, recordOf(member).score);
    }
  }
  // A team battle's per-host entries hold the team's sum: the members' own scores, read first, win.
  for (const entry of entriesOf(data.battleResult)) {
    const result = recordOf(entry[1]);
    addScore(scores, result.userId ?? entry[0], result.score);
  }
  return scores;
}

/** Scores by host while it runs. */
function runningScores(data: JsonRecord): ReadonlyMap<string, number> {
  const scores = new Map<string, number>();
  for (const team of listOf(data.teamArmies).slice(0, BATTLE_PARTICIPANTS_MAX)) {
    for (const member of listOf(recordOf(team).teamUser).slice(0, BATTLE_PARTICIPANTS_MAX)) {
      addScore(scores, recordOf(member).userId, recordOf(member).score);
    }
  }
  for (const [hostId, army] of entriesOf(data.armies)) addScore(scores, hostId, recordOf(army).hostscore);
  return scores;
}

function addScore(scores: Map<string, number>, host: unknown, score: unknown): void {
  const userId = userIdOf(host) ?? '';
  if (userId === '' || scores.has(userId) || scores.size >= BATTLE_PARTICIPANTS_MAX) return;
  scores.set(userId, countOf(score, BATTLE_SCORE_MAX));
}

/** The entries of a protobuf map, at most as many as there can be participants. */
function entriesOf(map: unknown): readonly (readonly [string, unknown])[] {
  const record = recordOf(map);
  return Object.keys(record)
    .slice(0, BATTLE_PARTICIPANTS_MAX)
    .map((key) => [key, record[key]] as const);
}

/** Everyone named or scored, named ones first. */
function participantsOf(
  scores: ReadonlyMap<string, number>,
  names: ReadonlyMap<string, string>,
): readonly BattleParticipant[] {
  return [...new Set([...names.keys(), ...scores.keys()])]
    .slice(0, BATTLE_PARTICIPANTS_MAX)
    .map((userId) => ({
      userId,
      displayName: names.get(userId) ?? '',
      score: scores.get(userId) ?? 0,
    }));
}
