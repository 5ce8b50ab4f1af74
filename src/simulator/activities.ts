import { identityFields, userFields } from './population.ts';
import { known, type ScriptMessage } from './script-message.ts';
import type { Stage } from './stage.ts';
import { CHAT_LINES, QUESTIONS } from './words.ts';

/** Something a viewer (or TikTok) does at a moment: puts its messages on the stage's agenda, now and later. */
export type Activity = (stage: Stage, atMs: number) => void;

/** Likes that TikTok shows of all that are given: real rooms showed 8 % and 26 %. */
const LIKE_SAMPLE = 0.2;

/** Part of the like totals that are out of date, and by how much: so that 2 of 5 fall, as in real rooms (200 of 473). */
const STALE_LIKE_TOTAL = { probability: 0.65, behind: { min: 80, max: 240 } } as const;

/** The viewer count comes this often, in milliseconds, whatever else happens. */
const VIEWER_COUNT_EVERY_MS = 2_000;

export function chat(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  const { text, language } = stage.random.pick(CHAT_LINES);
  const emotes = stage.random.chance(0.05)
    ? [{ index: 0, emote: emoteFields(stage.random.integer(1, 9)) }]
    : [];
  stage.rememberChatter(viewer);
  stage.say(
    atMs,
    known('WebcastChatMessage', {
      user: userFields(viewer),
      content: text,
      contentLanguage: language,
      emotes,
      userIdentity: identityFields(viewer),
    }),
  );
}

export function like(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  const count = stage.random.integer(1, 15);
  stage.likesTotal += Math.round(count / LIKE_SAMPLE);
  const { probability, behind: by } = STALE_LIKE_TOTAL;
  const behind = stage.random.chance(probability) ? stage.random.integer(by.min, by.max) : 0;
  stage.say(
    atMs,
    known('WebcastLikeMessage', {
      common: { displayText: { key: 'pm_mt_msg_viewer', defaultPattern: '{0:user} liked the LIVE' } },
      user: userFields(viewer),
      count,
      total: `${Math.max(count, stage.likesTotal - behind)}`,
    }),
  );
}

export function join(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  stage.viewersTotal += 1;
  stage.viewersNow = Math.max(1, stage.viewersNow + stage.random.integer(-1, 1));
  stage.say(
    atMs,
    known('WebcastMemberMessage', {
      common: { displayText: { key: 'live_room_enter_toast', defaultPattern: '{0:user} joined' } },
      user: userFields(viewer),
      memberCount: stage.viewersNow,
      action: 1,
      clientEnterSource: 'homepage_hot-live_cell',
    }),
  );
}

export function follow(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  if (viewer.followStatus === 0) viewer.followStatus = 1;
  stage.followersTotal += 1;
  stage.say(
    atMs,
    known('WebcastSocialMessage', {
      common: {
        displayText: {
          key: 'pm_main_follow_message_viewer_2',
          defaultPattern: '{0:user} followed the LIVE creator',
        },
      },
      user: userFields(viewer),
      action: '1',
      shareTarget: stage.hostId,
      followCount: `${stage.followersTotal}`,
    }),
  );
}

export function share(stage: Stage, atMs: number): void {
  stage.sharesTotal += 1;
  stage.say(
    atMs,
    known('WebcastSocialMessage', {
      common: { displayText: { key: 'pm_mt_guidance_share', defaultPattern: '{0:user} shared the LIVE' } },
      user: userFields(stage.viewer()),
      shareType: '1',
      action: '3',
      shareTarget: '-1',
      shareCount: stage.sharesTotal,
    }),
  );
}

export function subscribe(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  viewer.isSubscriber = true;
  stage.say(
    atMs,
    known('WebcastSubNotifyMessage', {
      user: userFields(viewer),
      subMonth: `${stage.random.integer(1, 24)}`,
      subscribingStatus: 1,
    }),
  );
}

export function emote(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  stage.say(
    atMs,
    known('WebcastEmoteChatMessage', {
      user: userFields(viewer),
      emoteList: [emoteFields(stage.random.integer(1, 9))],
      userIdentity: identityFields(viewer),
    }),
  );
}

export function question(stage: Stage, atMs: number): void {
  stage.say(
    atMs,
    known('WebcastQuestionNewMessage', {
      data: {
        questionId: `${7_100_000_000_000_000_000n + BigInt(stage.nextSerial())}`,
        content: stage.random.pick(QUESTIONS),
        user: userFields(stage.viewer()),
        createFrom: 1,
      },
    }),
  );
}

export function envelope(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  stage.say(
    atMs,
    known('WebcastEnvelopeMessage', {
      envelopeInfo: {
        envelopeId: `${7_200_000_000_000_000_000n + BigInt(stage.nextSerial())}`,
        businessType: 1,
        sendUserName: viewer.nickname,
        sendUserId: viewer.id,
        diamondCount: stage.random.pick([20, 100, 500]),
        peopleCount: stage.random.integer(5, 50),
      },
      display: 1,
    }),
  );
}

/** A moderator removes a viewer's messages: TikTok says whose, not which. */
export function deletion(stage: Stage, atMs: number): void {
  const viewer = stage.recentChatters.at(-1) ?? stage.viewer();
  stage.say(atMs, known('WebcastImDeleteMessage', { deleteUserIds: [viewer.id] }));
}

/** The banner for a member of the fan club who comes in. */
export function barrage(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  stage.say(
    atMs,
    known('WebcastBarrageMessage', {
      msgType: 11,
      content: { key: 'pm_mt_fan_live_join', defaultPattern: 'joined' },
      duration: '4000',
      fansLevelParam: { currentGrade: Math.max(1, viewer.teamLevel), user: userFields(viewer) },
    }),
  );
}

/** The streamer pauses and, some seconds later, goes on. */
export function pause(stage: Stage, atMs: number): void {
  stage.say(atMs, known('WebcastControlMessage', { action: 1 }));
  stage.say(atMs + stage.random.integer(2_000, 6_000), known('WebcastControlMessage', { action: 2 }));
}

/** A message of a type that no schema has. */
export function novelty(stage: Stage, atMs: number): void {
  const message: ScriptMessage = {
    kind: 'UNKNOWN',
    rawType: stage.random.pick(['WebcastSimulatedNoveltyMessage', 'WebcastSimulatedRankMessage']),
  };
  stage.say(atMs, message);
}

/** A viewer takes another handle and says so. */
export function rename(stage: Stage, atMs: number): void {
  const viewer = stage.viewer();
  viewer.handle = `${viewer.handle.replace(/\.renamed\d+$/, '')}.renamed${stage.nextSerial()}`;
  stage.say(
    atMs,
    known('WebcastChatMessage', {
      user: userFields(viewer),
      content: 'I have a new handle',
      contentLanguage: 'en',
      userIdentity: identityFields(viewer),
    }),
  );
}

/** The viewer count with the three greatest gifters; sends itself again every 2 s. */
export function viewerCount(stage: Stage, atMs: number): void {
  stage.sayUnmetered(
    atMs,
    known('WebcastRoomUserSeqMessage', {
      total: `${stage.viewersNow}`,
      totalUser: `${stage.viewersTotal}`,
      ranks: stage.greatestGifters().map(({ viewer, coins }, index) => ({
        score: `${coins}`,
        rank: `${index + 1}`,
        user: userFields(viewer),
      })),
    }),
  );
  stage.act(atMs + VIEWER_COUNT_EVERY_MS, viewerCount);
}

function emoteFields(number: number): { readonly emoteId: string; readonly image: { readonly uri: string } } {
  return {
    emoteId: `${7_300_000_000_000_000_000n + BigInt(number)}`,
    image: { uri: `simulated/emote-${number}` },
  };
}
