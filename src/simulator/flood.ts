import { setImmediate as yieldToLoop } from 'node:timers/promises';
import type { CommonMessageData } from 'tiktok-live-proto/v3';
import type { Clock } from '../lib/clock.ts';
import { createRandom, type Random } from '../lib/random.ts';
import { pause } from './director.ts';
import { FrameTemplate, PLACEHOLDER_TIME, placeholderId } from './frame-template.ts';
import { createPopulation, userFields, type Viewer } from './population.ts';
import type { Room } from './room.ts';
import { known, type ScriptMessage } from './script-message.ts';
import type { DeepPartial } from './webcast-message.ts';

/** Size of one message of a flood, in bytes: the mean of a real busy room is 3.1 kB. */
export const FLOOD_MESSAGE_BYTES = 3_000;

/** Messages in a frame of a flood. */
export const FLOOD_FRAME_MESSAGES = 10;

/** Different frames that a flood is made of. */
const TEMPLATES = 64;

const VIEWERS = 2_000;

/** How often a flood looks for a reader while there is none, in milliseconds. */
const READER_LOOK_MS = 20;

export interface FloodOptions {
  readonly seed: string;
  /** Messages per second; null: as many as the readers take. */
  readonly ratePerSecond: number | null;
  /** Ends after this many messages (rounded up to whole frames); null: never. */
  readonly messagesMax: number | null;
  readonly viewers: number | null;
}

/**
 * Sends mixed messages of about 3 kB, ten to a frame, from frames encoded beforehand: for measuring readers, with as
 * little work as possible on this side. Every message has an id of its own; every gift is a streak of one.
 */
export async function flood(
  deps: { readonly clock: Clock },
  play: { readonly room: Room; readonly options: FloodOptions; readonly signal: AbortSignal },
): Promise<void> {
  const { room, options, signal } = play;
  const templates = createFloodFrames(room, options);
  const startedAt = deps.clock.nowMs();
  const messagesMax = options.messagesMax ?? Number.POSITIVE_INFINITY;
  let sent = 0;
  while (!signal.aborted && room.state === 'LIVE' && sent < messagesMax) {
    if (room.viewers === 0) {
      await pause(READER_LOOK_MS, signal);
      continue;
    }
    const dueAt = options.ratePerSecond === null ? 0 : startedAt + (sent / options.ratePerSecond) * 1_000;
    const earlyMs = dueAt - deps.clock.nowMs();
    if (earlyMs > 0) {
      await pause(earlyMs, signal);
      continue;
    }
    const template = templates[(sent / FLOOD_FRAME_MESSAGES) % templates.length];
    if (template === undefined) return;
    await room.writeFrame(template.stamp(room.takeMessageIds(template.messages), deps.clock.nowMs()));
    room.counters.messages += template.messages;
    sent += template.messages;
    await yieldToLoop();
  }
}

/** The frames of a flood, ready to be stamped and written to `room`. The same for the same seed. */
export function createFloodFrames(
  room: Room,
  options: { readonly seed: string; readonly viewers: number | null },
): readonly FrameTemplate[] {
  const random = createRandom(options.seed).fork('flood');
  const viewers = createPopulation(random.fork('population'), options.viewers ?? VIEWERS);
  return Array.from({ length: TEMPLATES }, () => {
    const messages = Array.from({ length: FLOOD_FRAME_MESSAGES }, (_, index) => {
      const id = placeholderId(index);
      const message = floodMessage(random, viewers, id);
      return room.scripted(message, { messageId: id, createTime: PLACEHOLDER_TIME });
    });
    return new FrameTemplate(room.encodeFrame(messages, { gzip: false }), messages.length);
  });
}

/** One message of the mix of a busy room: mostly chat, some likes and joins, a few gifts. */
function floodMessage(random: Random, viewers: readonly Viewer[], id: string): ScriptMessage {
  const user = weighty(random.pick(viewers));
  const kind = random.next();
  if (kind < 0.6) {
    return known('WebcastChatMessage', {
      ...weightyCommon(user, '{0:user} wrote'),
      user,
      content: `flood ${random.integer(0, 9_999)}`,
      contentLanguage: 'en',
      commentQualityScores: QUALITY_SCORES,
    });
  }
  if (kind < 0.75) {
    const common = weightyCommon(user, '{0:user} liked the LIVE');
    return known('WebcastLikeMessage', { ...common, user, count: random.integer(1, 15), total: '90961' });
  }
  if (kind < 0.9) {
    const common = weightyCommon(user, '{0:user} joined');
    return known('WebcastMemberMessage', { ...common, user, memberCount: random.integer(1, 999), action: 1 });
  }
  return known('WebcastGiftMessage', {
    ...weightyCommon(user, '{0:user} sent {1:gift}'),
    user,
    giftId: '900001',
    repeatCount: 1,
    comboCount: 1,
    repeatEnd: 1,
    groupId: id,
    gift: {
      id: '900001',
      name: 'Pebble',
      type: 1,
      combo: true,
      diamondCount: 1,
      image: pictures('gift', 'pebble'),
      icon: pictures('icon', 'pebble'),
    },
  });
}

/** Length of a picture's address. Together they are most of a message, here as in real ones. */
const PICTURE_URL = 118;

/** TikTok's scores of a comment, as many as real ones carry. */
const QUALITY_SCORES = [
  'user_type_rule',
  'community-flagged',
  'commentator_id',
  'default',
  'default_app',
  'rankV3',
  'ttp_rule_rerank',
  'timestamp_desc',
].map((version, index) => ({ version, score: `${98_303_552_822_970_000n + BigInt(index)}` }));

type UserFields = ReturnType<typeof userFields>;

/** The viewer as real messages carry people: three sizes of the picture, badges. None of the addresses exists. */
function weighty(viewer: Viewer): UserFields {
  return {
    ...userFields(viewer),
    avatarThumb: pictures('100x100', viewer.id),
    avatarMedium: pictures('720x720', viewer.id),
    avatarLarge: pictures('1080x1080', viewer.id),
    badgeList: [badge('level'), badge('team')],
  };
}

/** A badge beside the name. The nesting is what makes real messages slow to decode. */
function badge(kind: string): NonNullable<UserFields['badgeList']>[number] {
  const background = { backgroundColorCode: '#B3D46B3B', image: { uri: `simulated/background-${kind}` } };
  return {
    displayType: 4,
    sceneType: 8,
    display: true,
    privilegeLogExtra: { dataVersion: '2', privilegeId: '7138381747292494338', level: '21' },
    combine: {
      displayType: 4,
      icon: { uri: `simulated/badge-${kind}` },
      str: '21',
      padding: { useSpecific: true, middlePadding: 2, badgeWidth: 32, leftPadding: 2, rightPadding: 2 },
      fontStyle: { fontSize: 8, fontWidth: 1, fontColor: '#FFFFFFFF', borderColor: '#803F3F3F' },
      background,
      backgroundDarkMode: background,
    },
  };
}

/** The text that an app would show, with the person in it once more, as real messages have it. */
function weightyCommon(
  user: UserFields,
  defaultPattern: string,
): { readonly common: DeepPartial<CommonMessageData> } {
  const { avatarMedium: _medium, avatarLarge: _large, ...abridged } = user;
  const pieces = [{ type: 11, format: { color: '#8CE7FF', weight: 400 }, userValue: { user: abridged } }];
  return {
    common: {
      displayText: {
        key: 'simulated',
        defaultPattern,
        defaultFormat: { color: '#ffffffff', weight: 400 },
        pieces,
      },
      foldType: '1',
      anchorFoldType: '1',
      roomMessageHeatLevel: '3',
      foldTypeForWeb: '1',
      anchorFoldTypeForWeb: '1',
    },
  };
}

function pictures(size: string, of: string): { readonly uri: string; readonly urlList: readonly string[] } {
  return {
    uri: `simulated/${size}/${of}`,
    urlList: [1, 2, 3].map((host) =>
      `https://p${host}.simulated.invalid/${size}/${of}/`.padEnd(PICTURE_URL, 'x'),
    ),
  };
}
