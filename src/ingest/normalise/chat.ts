import type { EmoteRef, EventUser } from '../../events/unified-event.ts';
import type { EventBody } from './body.ts';
import {
  CHAT_CHARS_MAX,
  idOf,
  imageUrlOf,
  type JsonRecord,
  listOf,
  recordOf,
  textOf,
  userIdOf,
} from './reading.ts';
import { userOf } from './user.ts';

const CHAT_EMOTES_MAX = 50;
const DELETED_USERS_MAX = 200;
/** BCP 47 tags are made of letters, digits and dashes; 35 is the longest that RFC 5646 asks systems to take. */
const LANGUAGE_PATTERN = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/u;
const LANGUAGE_CHARS_MAX = 35;
/** What TikTok writes when it could not tell. */
const LANGUAGE_UNKNOWN = 'un';
const NO_EMOTES: readonly EmoteRef[] = [];

/** WebcastChatMessage */
export function chatBody(data: JsonRecord): EventBody {
  return {
    type: 'CHAT',
    user: userOf(data.user, data.userIdentity),
    payload: {
      message: textOf(data.content, CHAT_CHARS_MAX),
      emotes: emotesOf(data.emotes),
      language: languageOf(data.contentLanguage),
    },
  };
}

/** WebcastEmoteChatMessage: one EMOTE per emote in it; nothing when it holds none. */
export function emoteBodies(data: JsonRecord): readonly EventBody[] {
  const user: EventUser | null = userOf(data.user, data.userIdentity);
  return emotesOf(data.emoteList).map((payload) => ({ type: 'EMOTE', user, payload }));
}

/** WebcastQuestionNewMessage */
export function questionBody(data: JsonRecord): EventBody | null {
  const question = recordOf(data.data);
  const questionId = idOf(question.questionId);
  if (questionId === '') return null;
  const message = textOf(question.content, CHAT_CHARS_MAX);
  return { type: 'QUESTION', user: userOf(question.user), payload: { questionId, message } };
}

/** WebcastImDeleteMessage: by person. One that names only message ids says nothing we can act on. */
export function messageDeletedBody(data: JsonRecord): EventBody | null {
  const userIds = listOf(data.deleteUserIds)
    .slice(0, DELETED_USERS_MAX)
    .map(userIdOf)
    .filter((userId) => userId !== null);
  if (userIds.length === 0) return null;
  return { type: 'MESSAGE_DELETED', user: null, payload: { userIds } };
}

/** Emotes come bare (`emoteList`) or with their place in the text (`emotes[].emote`). */
function emotesOf(value: unknown): readonly EmoteRef[] {
  const list = listOf(value);
  if (list.length === 0) return NO_EMOTES;
  const emotes: EmoteRef[] = [];
  for (let index = 0; index < list.length && index < CHAT_EMOTES_MAX; index++) {
    const entry = recordOf(list[index]);
    const emote = entry.emote === undefined ? entry : recordOf(entry.emote);
    const emoteId = idOf(emote.emoteId);
    if (emoteId !== '') emotes.push({ emoteId, emoteImageUrl: imageUrlOf(emote.image) });
  }
  return emotes;
}

function languageOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '' || value === LANGUAGE_UNKNOWN) return null;
  return value.length <= LANGUAGE_CHARS_MAX && LANGUAGE_PATTERN.test(value) ? value : null;
}
