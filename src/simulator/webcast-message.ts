import * as webcast from 'tiktok-live-proto/v3';
import { assert } from '../lib/assert.ts';

/**
 * Webcast messages from what is worth saying. The schemas' encoders need whole objects, nested ones included, so a
 * partial message is laid over the schema's defaults (what decoding no bytes gives) at every level.
 */

type Schemas = typeof webcast;
type MessageOf<S> = S extends { decode(input: Uint8Array): infer M } ? M : never;

/** A type of message that the push connection carries and the schema package knows. */
export type WebcastType = {
  [K in keyof Schemas]: K extends `Webcast${string}`
    ? MessageOf<Schemas[K]> extends { common: webcast.CommonMessageData | undefined }
      ? K
      : never
    : never;
}[keyof Schemas];

/** The fields of a message that differ from the defaults. Whole numbers of 64 bits are text, as in the schemas. */
export type WebcastFields<T extends WebcastType> = DeepPartial<MessageOf<Schemas[T]>>;

export type DeepPartial<T> = T extends string | number | boolean | Uint8Array | undefined
  ? T
  : T extends readonly (infer E)[]
    ? readonly DeepPartial<E>[]
    : { readonly [K in keyof T]?: DeepPartial<T[K]> };

/** The message's protobuf bytes. Fields left out have the schema's defaults; a field that the schema lacks is refused. */
export function encodeWebcastMessage<T extends WebcastType>(type: T, fields: WebcastFields<T>): Uint8Array {
  const schema = schemaNamed(type);
  assert(schema !== undefined, `${type} is a schema`);
  return schema.encode(completed(schema, fields)).finish();
}

const NO_BYTES = new Uint8Array();

/** A schema of the package, as far as this file cares. */
interface Schema {
  encode(message: object): { finish(): Uint8Array };
  decode(input: Uint8Array): object;
}

function schemaNamed(name: string): Schema | undefined {
  if (!/^Webcast[A-Za-z]+$/.test(name) || !(name in webcast)) return undefined;
  // Names of this form are message schemas: the package's other exports (enums, entries) have none or an underscore.
  return (webcast as Readonly<Record<string, unknown>>)[name] as Schema;
}

/** The schemas of nested fields that have the same one wherever they stand. */
const NESTED_BY_NAME: Readonly<Record<string, Schema>> = {
  common: webcast.CommonMessageData,
  user: webcast.User,
  toUser: webcast.User,
  operator: webcast.User,
  userIdentity: webcast.UserIdentity,
  displayText: webcast.MessageCommonText,
  avatarThumb: webcast.ImageModel,
  avatarMedium: webcast.ImageModel,
  avatarLarge: webcast.ImageModel,
  badgeImageList: webcast.ImageModel,
  image: webcast.ImageModel,
  icon: webcast.ImageModel,
  followInfo: webcast.FollowInfo,
  userAttr: webcast.UserAttr,
  fansClub: webcast.FansClubMember,
  battleSettings: webcast.BattleSetting,
  userArmies: webcast.BattleUserArmy,
  badgeList: webcast.BadgeStruct,
  privilegeLogExtra: webcast.PrivilegeLogExtra,
  fontStyle: webcast.FontStyle,
  padding: webcast.PaddingInfo,
  background: webcast.CombineBadgeBackground,
  backgroundDarkMode: webcast.CombineBadgeBackground,
};

/** The schemas of the other nested fields. The package has no reflection, so those that we fill are named here. */
const NESTED = new Map<Schema, Readonly<Record<string, Schema>>>([
  [webcast.MessageCommonText, { pieces: webcast.TextPiece, defaultFormat: webcast.TextFormat }],
  [webcast.TextPiece, { userValue: webcast.TextPieceUser, format: webcast.TextFormat }],
  [webcast.BadgeStruct, { combine: webcast.CombineBadgeStruct }],
  [webcast.FansClubMember, { data: webcast.FansClubData }],
  [webcast.EmojiEmoteWithIndex, { emote: webcast.EmoteModel }],
  [webcast.BattleUserInfoWrapper, { value: webcast.BattleUserInfo }],
  [webcast.BattleUserInfo, { user: webcast.BattleBaseUserInfo }],
  [
    webcast.WebcastChatMessage,
    { emotes: webcast.EmojiEmoteWithIndex, commentQualityScores: webcast.CommentQualityScore },
  ],
  [webcast.WebcastGiftMessage, { gift: webcast.Gift, monitorInfo: webcast.GiftMonitorInfo }],
  [webcast.WebcastRoomUserSeqMessage, { ranks: webcast.Contributor }],
  [webcast.WebcastEmoteChatMessage, { emoteList: webcast.EmoteModel }],
  [webcast.WebcastQuestionNewMessage, { data: webcast.Question }],
  [webcast.WebcastEnvelopeMessage, { envelopeInfo: webcast.MessageRedEnvelopInfo }],
  [webcast.WebcastLinkMicArmies, { armies: webcast.BattleUserArmies }],
  [
    webcast.WebcastLinkMicBattle,
    { anchorsInfo: webcast.BattleUserInfoWrapper, battleResult: webcast.BattleResult },
  ],
  [
    webcast.WebcastBarrageMessage,
    {
      background: webcast.ImageModel,
      content: webcast.MessageCommonText,
      fansLevelParam: webcast.BarrageTypeFansLevelParam,
    },
  ],
]);

/** `fields` laid over the defaults of `schema`, at every level. */
function completed(schema: Schema, fields: object): object {
  // Decoding makes a new object each time, so it may be written to.
  const whole = schema.decode(NO_BYTES) as Record<string, unknown>;
  for (const [name, value] of Object.entries(fields)) {
    assert(name in whole, `the schema has a field ${name}`);
    const nested = NESTED.get(schema)?.[name] ?? NESTED_BY_NAME[name];
    whole[name] =
      nested === undefined || value === undefined ? value : completedField(nested, whole[name], value);
  }
  return whole;
}

/** Lists and maps are told from single messages by their defaults: an empty list, an empty object, nothing. */
function completedField(schema: Schema, initial: unknown, value: object): unknown {
  if (Array.isArray(value)) return value.map((item) => completed(schema, item));
  if (initial === undefined) return completed(schema, value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, completed(schema, item)]));
}
