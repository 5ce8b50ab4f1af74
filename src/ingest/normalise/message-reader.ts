import type { EventUser } from '../../events/unified-event.ts';
import { joinBody, roomUserBody, socialBody, subscribeBody } from './audience.ts';
import { AudienceMemory } from './audience-memory.ts';
import { createBattleReader } from './battle.ts';
import type { BodyReader, EventBody } from './body.ts';
import { chatBody, emoteBodies, messageDeletedBody, questionBody } from './chat.ts';
import { envelopeBody, envelopeSenderId, type GiftReading, giftReading } from './gift.ts';
import type { JsonRecord } from './reading.ts';
import { userOf } from './user.ts';

/** Reads what messages of a session say, and completes their people by what earlier messages said about them. */
export class MessageReader {
  readonly #audience = new AudienceMemory();
  readonly #readers: ReadonlyMap<string, BodyReader>;

  constructor() {
    const battles = createBattleReader();
    this.#readers = new Map<string, BodyReader>([
      ['WebcastChatMessage', chatBody],
      ['WebcastMemberMessage', joinBody],
      ['WebcastSocialMessage', socialBody],
      ['WebcastSubNotifyMessage', subscribeBody],
      ['WebcastRoomUserSeqMessage', roomUserBody],
      ['WebcastLinkMicBattle', battles.battle],
      ['WebcastLinkMicArmies', battles.armies],
      ['WebcastImDeleteMessage', messageDeletedBody],
      ['WebcastQuestionNewMessage', questionBody],
      ['WebcastEnvelopeMessage', (data) => this.#envelope(data)],
    ]);
  }

  /** What a message of this type says; null when it says nothing that has an event type. */
  body(rawType: string, data: JsonRecord): EventBody | null {
    const body = this.#readers.get(rawType)?.(data) ?? null;
    return body === null ? null : this.#withKnown(body, data);
  }

  /** WebcastEmoteChatMessage: one EMOTE per emote in it. */
  emotes(data: JsonRecord): readonly EventBody[] {
    return emoteBodies(data).map((body) => this.#withKnown(body, data));
  }

  /** WebcastGiftMessage. Null when it names no gift. */
  gift(data: JsonRecord): GiftReading | null {
    const gift = giftReading(data);
    return gift === null ? null : { ...gift, sender: this.#known(gift.sender, data) };
  }

  /** The person of a message that tells nothing else of interest. */
  person(data: JsonRecord): EventUser | null {
    return this.#known(userOf(data.user, data.userIdentity), data);
  }

  #envelope(data: JsonRecord): EventBody | null {
    const body = envelopeBody(data);
    const senderId = body === null ? null : envelopeSenderId(data);
    if (body === null || senderId === null) return body;
    return withUser(body, this.#audience.find(senderId));
  }

  #withKnown(body: EventBody, data: JsonRecord): EventBody {
    return body.user === null ? body : withUser(body, this.#known(body.user, data));
  }

  #known(user: EventUser | null, data: JsonRecord): EventUser | null {
    if (user === null) return null;
    const tellsRoles = typeof data.userIdentity === 'object' && data.userIdentity !== null;
    return this.#audience.meet(user, tellsRoles);
  }
}

function withUser(body: EventBody, user: EventUser | null): EventBody {
  return { ...body, user } as EventBody; // type and payload still come from one body
}
