import { BadArgumentError } from '../errors/bad-argument.ts';
import { type Id, type IdKind, parseId } from '../lib/ids.ts';

/** The largest page, and the one given when nothing is asked. */
export const PAGE_ITEMS_MAX = 100;
export const PAGE_ITEMS_DEFAULT = 20;

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}

/** A place in a list ordered by time and then id. */
export interface TimePlace<K extends IdKind> {
  readonly at: number;
  readonly id: Id<K>;
}

/** Cuts a page out of one row more than was asked for. */
export function pageOf<T>(rows: readonly T[], first: number): Page<T> {
  return { items: rows.slice(0, first), hasMore: rows.length > first };
}

/** The text given as `after` is not a cursor of the list it was given to. */
export function badCursor(): BadArgumentError {
  return new BadArgumentError('after', 'The cursor is not one of this list: pass on what pageInfo gave.');
}

/** A cursor of a list ordered by time and id: opaque to clients, made of nothing personal. */
export function encodeTimeCursor(place: TimePlace<IdKind>): string {
  return Buffer.from(`${place.at}.${place.id}`).toString('base64url');
}

/** @throws BadArgumentError when the text is not a cursor of this list. */
export function decodeTimeCursor<K extends IdKind>(
  kind: K,
  cursor: string | null | undefined,
): TimePlace<K> | null {
  if (cursor === null || cursor === undefined) return null;
  const match = /^(\d{1,15}(?:\.\d{1,3})?)\.([a-z]{3}_[0-9a-f]{32})$/.exec(
    Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1'),
  );
  const id = parseId(kind, match?.[2] ?? '');
  if (match === null || id === undefined) {
    throw badCursor();
  }
  return { at: Number(match[1]), id };
}
