import { setImmediate as yieldToLoop } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { createRandom, type Random } from '../lib/random.ts';
import { pause } from './director.ts';
import { FrameTemplate, PLACEHOLDER_TIME, placeholderId } from './frame-template.ts';
import { createPopulation, userFields, type Viewer } from './population.ts';
import type { Room } from './room.ts';
import { known, type ScriptMessage } from './script-message.ts';

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
  while (!signal.aborted && sent < messagesMax) {
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
      user,
      content: `flood ${random.integer(0, 9_999)}`,
      contentLanguage: 'en',
    });
  }
  if (kind < 0.75) return known('WebcastLikeMessage', { user, count: random.integer(1, 15), total: '90961' });
  if (kind < 0.9)
    return known('WebcastMemberMessage', { user, memberCount: random.integer(1, 999), action: 1 });
  return known('WebcastGiftMessage', {
    user,
    giftId: '900001',
    repeatCount: 1,
    comboCount: 1,
    repeatEnd: 1,
    groupId: id,
    gift: { id: '900001', name: 'Pebble', type: 1, combo: true, diamondCount: 1 },
  });
}

/** The viewer with pictures, as real messages carry people: most of a message is their addresses. None of them exists. */
function weighty(viewer: Viewer): ReturnType<typeof userFields> {
  const picture = (size: string): { readonly urlList: readonly string[] } => ({
    urlList: [1, 2, 3].map((host) =>
      `https://p${host}.simulated.invalid/${size}/${viewer.id}/`.padEnd(PICTURE_URL, 'x'),
    ),
  });
  return {
    ...userFields(viewer),
    avatarThumb: picture('100x100'),
    avatarMedium: picture('720x720'),
    avatarLarge: picture('1080x1080'),
  };
}

/** Length of a picture's address: nine of them bring a message to its size. */
const PICTURE_URL = 300;
