/** Characters of a path to come back to. */
const PATH_LENGTH_MAX = 512;
/** A slash and then anything visible but a second slash or a backslash, which browsers take for one: these begin another host. */
const LOCAL_PATH = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/;

/**
 * A page of ours to come back to after signing in: its path and query. Undefined for everything that a browser could take for another
 * place, and for what is no page: a sign-in that leads into the next one.
 */
export function parseReturnPath(text: string): string | undefined {
  if (text.length > PATH_LENGTH_MAX || !LOCAL_PATH.test(text)) return undefined;
  const base = 'https://here.invalid';
  const url = URL.parse(text, base);
  if (url === null || url.origin !== base || url.username !== '') return undefined;
  const path = url.pathname + url.search;
  // Once more: taking `..` apart may have put two slashes in front.
  return LOCAL_PATH.test(path) && !path.startsWith('/auth/') ? path : undefined;
}
