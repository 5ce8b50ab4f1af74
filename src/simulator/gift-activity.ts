import { type CatalogueGift, GIFTS } from './gift-catalogue.ts';
import { identityFields, userFields, type Viewer } from './population.ts';
import { known, type ScriptMessage } from './script-message.ts';
import type { Stage } from './stage.ts';

/** A streak's end comes this long after its last step, in milliseconds, as seen in real rooms. */
const END_AFTER_MS = { min: 1_000, max: 4_000 } as const;

/** A late end comes this long after the last step: later than anybody waits for it. */
const LATE_END_AFTER_MS = { min: 12_000, max: 20_000 } as const;

/** How streaks end: most as they should, some never, some late, and some are joined so late that only the end is seen. */
const ENDINGS = { never: 0.1, late: 0.05, only: 0.05 } as const;

/** A part of the gifts goes to a guest instead of the streamer. */
const TO_GUEST = 0.05;

/** The weights of the catalogue, added up once per choice: it has eight entries. */
function pickGift(stage: Stage): CatalogueGift {
  const total = GIFTS.reduce((sum, gift) => sum + gift.weight, 0);
  let left = stage.random.next() * total;
  for (const gift of GIFTS) {
    left -= gift.weight;
    if (left < 0) return gift;
  }
  return stage.random.pick(GIFTS);
}

interface Streak {
  readonly sender: Viewer;
  readonly gift: CatalogueGift;
  readonly groupId: string;
  readonly guest: Viewer | null;
}

/** Somebody sends a gift: once, or as a streak of up to `stepsMax` growing messages. */
export function giftActivity(stepsMax: number): (stage: Stage, atMs: number) => void {
  return (stage, atMs) => {
    const streak: Streak = {
      sender: stage.viewer(),
      gift: pickGift(stage),
      groupId: `${1_700_000_000_000 + stage.nextSerial()}`,
      guest: stage.random.chance(TO_GUEST) ? stage.viewer() : null,
    };
    if (streak.gift.type === 1) sendStreak(stage, atMs, streak, stepsMax);
    else sendOnce(stage, atMs, streak);
  };
}

function sendOnce(stage: Stage, atMs: number, streak: Streak): void {
  book(stage, streak, 1);
  // Outside a streak the group is 0 and no end is marked.
  stage.say(atMs, giftMessage({ ...streak, groupId: '0' }, { repeatCount: 1, repeatEnd: 0 }));
}

/** The running total grows by 1 to 4 per message, so values are skipped; the end repeats the last one. */
function sendStreak(stage: Stage, atMs: number, streak: Streak, stepsMax: number): void {
  const { random } = stage;
  const steps = Math.max(1, Math.floor(random.next() ** 2 * stepsMax));
  const ending = random.next();
  const onlyEnd = ending < ENDINGS.only;
  let repeatCount = 0;
  let stepMs = atMs;
  for (let step = 0; step < steps; step += 1) {
    if (step > 0) stepMs += random.integer(150, 700);
    repeatCount += random.chance(0.3) ? random.integer(2, 4) : 1;
    if (!onlyEnd) stage.say(stepMs, giftMessage(streak, { repeatCount, repeatEnd: 0 }));
  }
  book(stage, streak, repeatCount);
  if (ending > 1 - ENDINGS.never) return;
  const late = ending > 1 - ENDINGS.never - ENDINGS.late;
  const after = late ? LATE_END_AFTER_MS : END_AFTER_MS;
  const endMs = onlyEnd ? atMs : stepMs + random.integer(after.min, after.max);
  stage.say(endMs, giftMessage(streak, { repeatCount, repeatEnd: 1 }));
}

function book(stage: Stage, streak: Streak, count: number): void {
  const coins = count * streak.gift.diamondCount;
  stage.coinsBySender.set(streak.sender.id, (stage.coinsBySender.get(streak.sender.id) ?? 0) + coins);
  if (stage.battleCoins !== null) stage.battleCoins += coins;
}

function giftMessage(
  streak: Streak,
  progress: { readonly repeatCount: number; readonly repeatEnd: 0 | 1 },
): ScriptMessage {
  const { sender, gift, groupId, guest } = streak;
  return known('WebcastGiftMessage', {
    common: {
      displayText: {
        key: 'webcast_aweme_gift_send_message',
        defaultPattern: '{0:user} sent {1:gift} {2:string}',
      },
    },
    giftId: gift.giftId,
    fanTicketCount: gift.diamondCount,
    groupCount: 1,
    repeatCount: progress.repeatCount,
    comboCount: progress.repeatCount,
    repeatEnd: progress.repeatEnd,
    groupId,
    user: userFields(sender),
    ...(guest === null ? {} : { toUser: userFields(guest) }),
    gift: {
      id: gift.giftId,
      name: gift.name,
      type: gift.type,
      combo: gift.type === 1,
      diamondCount: gift.diamondCount,
      image: { uri: `simulated/gift-${gift.giftId}` },
    },
    sendType: '1',
    userIdentity: identityFields(sender),
  });
}
