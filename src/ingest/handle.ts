import { UserError } from '../errors/errors.ts';

/** TikTok's own limits for a handle. @see https://support.tiktok.com/en/getting-started/setting-up-your-profile/changing-your-username */
const HANDLE_PATTERN = /^[a-z0-9_.]{2,24}$/;

/** The text cannot be a handle at any time. */
export class InvalidHandleError extends UserError {
  override readonly name = 'InvalidHandleError';
  readonly code = 'INVALID_HANDLE';
}

/**
 * A streamer's handle as it is stored and looked up: without `@`, in lower case, 2 to 24 of `a-z 0-9 _ .`.
 * @throws InvalidHandleError when the text cannot be one.
 */
export function parseHandle(text: string): string {
  const handle = handleOf(text);
  if (handle === null) {
    throw new InvalidHandleError(
      'A TikTok handle has 2 to 24 letters (a to z), digits, underscores or dots, for example @tally.light.',
    );
  }
  return handle;
}

/** The handle in a text, in the form it is stored in; null when the text cannot be one. */
export function handleOf(text: string): string | null {
  const handle = text.trim().replace(/^@/, '').toLowerCase();
  return HANDLE_PATTERN.test(handle) ? handle : null;
}
