import { type Kysely, sql } from 'kysely';
import type { Database } from './connect.ts';

/** Whether the database answers a statement now. */
export async function pingDatabase(db: Kysely<Database>): Promise<boolean> {
  try {
    await sql`/* ping */ select 1`.execute(db);
    return true;
  } catch {
    return false;
  }
}
