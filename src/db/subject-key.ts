import { type Kysely, sql } from 'kysely';
import { uuidFromId } from '../lib/ids.ts';
import type { SubjectId } from '../privacy/context.ts';
import type { Database } from './connect.ts';

/** A subject's data key as stored: wrapped by the master key of that version. */
export interface SubjectKeyRow {
  readonly subjectId: SubjectId;
  readonly wrappedKey: Buffer;
  readonly masterKeyVersion: number;
}

/** The keys of these subjects; who has none is left out. */
export async function selectSubjectKeys(
  db: Kysely<Database>,
  subjectIds: readonly SubjectId[],
): Promise<readonly SubjectKeyRow[]> {
  const byUuid = new Map(subjectIds.map((id) => [uuidFromId(id), id]));
  const result = await sql<{ subject_id: string; wrapped_key: Buffer; master_key_version: number }>`
    /* selectSubjectKeys */
    select subject_id, wrapped_key, master_key_version from subject_key
    where subject_id = any(${[...byUuid.keys()]}::uuid[])`.execute(db);
  return result.rows.flatMap((row) => {
    const subjectId = byUuid.get(row.subject_id.replaceAll('-', ''));
    if (subjectId === undefined) return [];
    return [{ subjectId, wrappedKey: row.wrapped_key, masterKeyVersion: row.master_key_version }];
  });
}

/**
 * Stores new keys, leaving alone the subjects that have one. Returns whose were stored; the others' are to be read.
 * Rows go in by subject, so that two writers of the same subjects wait for each other instead of locking up.
 */
export async function insertSubjectKeys(
  db: Kysely<Database>,
  rows: readonly SubjectKeyRow[],
): Promise<ReadonlySet<SubjectId>> {
  const byUuid = new Map(rows.map((row) => [uuidFromId(row.subjectId), row.subjectId]));
  const result = await sql<{ subject_id: string }>`
    /* insertSubjectKeys */
    insert into subject_key (subject_id, wrapped_key, master_key_version)
    select * from unnest(
      ${[...byUuid.keys()]}::uuid[],
      ${rows.map((row) => row.wrappedKey)}::bytea[],
      ${rows.map((row) => row.masterKeyVersion)}::integer[]
    ) as t (subject_id, wrapped_key, master_key_version)
    order by subject_id
    on conflict (subject_id) do nothing
    returning subject_id`.execute(db);
  return new Set(result.rows.flatMap((row) => byUuid.get(row.subject_id.replaceAll('-', '')) ?? []));
}

/** Destroys keys: what they sealed can never be read again. */
export async function deleteSubjectKeys(
  db: Kysely<Database>,
  subjectIds: readonly SubjectId[],
): Promise<void> {
  await sql`/* deleteSubjectKeys */ delete from subject_key where subject_id = any(${subjectIds.map(uuidFromId)}::uuid[])`.execute(
    db,
  );
}

/** The master key version of some key in the database, undefined when there is none yet. */
export async function selectMasterKeyVersion(db: Kysely<Database>): Promise<number | undefined> {
  const row = await db.selectFrom('subject_key').select('master_key_version').limit(1).executeTakeFirst();
  return row?.master_key_version;
}
