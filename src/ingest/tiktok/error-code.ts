/** What a code may look like; anything else could carry an address, a key or a name. */
const PLAIN_CODE = /^[A-Z][A-Z0-9_]{1,40}$/;

/** An error's system or library code (`ECONNREFUSED`), safe to show and to log; its class's name where it has none. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error && typeof error.code === 'string' && PLAIN_CODE.test(error.code)) return error.code;
  return /^\w{1,40}$/.test(error.name) ? error.name : 'Error';
}
