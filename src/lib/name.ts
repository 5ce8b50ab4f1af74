/** A name that somebody gives to themselves or to something of theirs has at most this many characters. */
export const NAME_CHARACTERS_MAX = 80;

/** Line breaks and other controls, and what turns the direction of writing around: one name must not look like another, nor end a line. */
const NOT_IN_NAMES = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** The name as it is kept: without white space around it, composed. Null when it is empty, too long, or not one readable line. */
export function parsedName(text: string): string | null {
  const name = text.trim().normalize('NFC');
  const isName = name !== '' && [...name].length <= NAME_CHARACTERS_MAX && !NOT_IN_NAMES.test(name);
  return isName ? name : null;
}
