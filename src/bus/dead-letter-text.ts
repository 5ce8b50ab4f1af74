import { DependencyError, UserError } from '../errors/errors.ts';
import { AssertionError } from '../lib/assert.ts';
import { DEAD_LETTER_MESSAGE_CHARACTERS_MAX, DEAD_LETTER_REASON_CHARACTERS_MAX } from './limits.ts';
import type { DeadLetter } from './port.ts';

/** What a foreign error's name and code may look like; anything else in them could be data. */
const PLAIN_WORD = /^[\w.:-]{1,60}$/;

/** `letter` as it is kept: reason on one line and cut, message cut and said to be so. */
export function boundedLetter<T extends Omit<DeadLetter, 'id'>>(letter: T): T {
  const cut = letter.message.length > DEAD_LETTER_MESSAGE_CHARACTERS_MAX;
  const reason = plainReason(letter.reason);
  return {
    ...letter,
    reason: cut ? `${reason} (message cut from ${letter.message.length} characters)` : reason,
    message: cut ? letter.message.slice(0, DEAD_LETTER_MESSAGE_CHARACTERS_MAX) : letter.message,
  };
}

/**
 * Why a handler failed, in words that carry no personal data: our own errors' messages (they carry none by the house's
 * rule), of foreign errors only name and code, since a driver's message may quote a row or a chat text.
 */
export function failureReason(error: unknown): string {
  if (error instanceof DependencyError || error instanceof UserError || error instanceof AssertionError) {
    return plainReason(`${error.name}: ${error.message}`);
  }
  if (!(error instanceof Error)) return 'the handler threw something that is not an error';
  const name = PLAIN_WORD.test(error.name) ? error.name : 'Error';
  const code = 'code' in error ? String(error.code) : '';
  return PLAIN_WORD.test(code) ? `${name} ${code}` : name;
}

/** The first line of `text` without control characters, cut to the limit. */
function plainReason(text: string): string {
  const line = text.split(/[\r\n]/, 1)[0] ?? '';
  return line.replaceAll(/\p{Cc}/gu, ' ').slice(0, DEAD_LETTER_REASON_CHARACTERS_MAX);
}
