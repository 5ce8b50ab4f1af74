import type { WebcastFields, WebcastType } from './webcast-message.ts';

/** The types of message that scenarios write. */
export type ScriptType = Extract<
  WebcastType,
  | 'WebcastChatMessage'
  | 'WebcastGiftMessage'
  | 'WebcastLikeMessage'
  | 'WebcastMemberMessage'
  | 'WebcastSocialMessage'
  | 'WebcastRoomUserSeqMessage'
  | 'WebcastSubNotifyMessage'
  | 'WebcastEmoteChatMessage'
  | 'WebcastQuestionNewMessage'
  | 'WebcastEnvelopeMessage'
  | 'WebcastImDeleteMessage'
  | 'WebcastBarrageMessage'
  | 'WebcastLinkMicBattle'
  | 'WebcastLinkMicArmies'
  | 'WebcastControlMessage'
>;

/** A message that a scenario wrote, not yet encoded: it gets its id and its time when it is sent. */
export type ScriptMessage =
  | {
      readonly [T in ScriptType]: {
        readonly kind: 'KNOWN';
        readonly type: T;
        readonly fields: WebcastFields<T>;
      };
    }[ScriptType]
  /** A type that no schema has, for readers that must not lose what they do not understand. */
  | { readonly kind: 'UNKNOWN'; readonly rawType: string };

/** A message and when it is sent, in milliseconds since the scenario began. */
export interface TimedMessage {
  readonly atMs: number;
  readonly message: ScriptMessage;
}

/** A message of a known type. */
export function known<T extends ScriptType>(type: T, fields: WebcastFields<T>): ScriptMessage {
  // `type` and `fields` belong together by the signature; TypeScript cannot pair them inside a union.
  return { kind: 'KNOWN', type, fields } as unknown as ScriptMessage;
}
