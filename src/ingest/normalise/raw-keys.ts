/** What a key says about its value, if that is of the fitting kind. */
export type KeyClass = 'NAMES_PERSON' | 'PERSON' | 'WRITTEN' | 'PUBLIC_ID' | 'OTHER';

/** Field names that are about a person, in lower case without underscores. */
const NAMING_KEY =
  /nick|displayid|uniqueid|uniquename|secuid|specialid|username|realname|fullname|screenname|userid|uid$|^uid|uidstr|idstr$|avatar|anchorid|ownerid|hostid|senderid|receiverid|recipientid|operatorid|contributorid|followerid|memberid|authorid|creatorid|fromid|toid|handle|phone|email|birth|gender|location|address|bio|signature|shareqrcode/u;
const PERSON_KEY =
  /(?:^|[a-z])(?:user|userinfo|owner|anchor|host|sender|receiver|recipient|operator|contributor|follower|member|author|creator|viewer|guest|person|profile)s?$/u;
const WRITTEN_KEY =
  /^(?:content|comment|text|stringvalue|message|question|answer|caption|reply|quote|words|subtitle)$/u;
/** Long numbers that are about things: the rest could be a person's. */
const PUBLIC_ID_KEY =
  /(?:msg|message|room|gift|battle|channel|group|poll|envelope|question|emote|goal|log|resource|package|effect|asset|cursor)id$|time$|timestamp$|timems$|ms$|score$|cursor$/u;

const REMEMBERED_MAX = 4_096;
/** Longer texts are looked at anew each time: remembered, they would fill the memory. */
const REMEMBERED_CHARS_MAX = 64;

/** What the field's name says, in whatever spelling. */
export function classify(key: string): KeyClass {
  const name = key.toLowerCase().replaceAll('_', '');
  if (NAMING_KEY.test(name)) return 'NAMES_PERSON';
  if (PERSON_KEY.test(name)) return 'PERSON';
  if (WRITTEN_KEY.test(name)) return 'WRITTEN';
  return PUBLIC_ID_KEY.test(name) ? 'PUBLIC_ID' : 'OTHER';
}

/** `look` with a memory, which starts anew when it is full: hostile messages can name anything. */
export function remembered<T>(look: (text: string) => T): (text: string) => T {
  const memory = new Map<string, T>();
  return (text) => {
    if (text.length > REMEMBERED_CHARS_MAX) return look(text);
    const known = memory.get(text);
    if (known !== undefined) return known;
    if (memory.size >= REMEMBERED_MAX) memory.clear();
    const found = look(text);
    memory.set(text, found);
    return found;
  };
}
