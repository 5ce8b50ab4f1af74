import { type Kysely, sql, type Transaction } from 'kysely';
import { type Id, idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

export type MailId = Id<'mail'>;

/** A mail that is still to be sent. */
export interface OutgoingMailRow {
  readonly userId: UserId;
  /** Recipient, subject and text, sealed under the user's key. */
  readonly content: Buffer;
}

/** Stores a mail to be sent; one that is held back is not stored, in the same time. `nowMs` is milliseconds since the Unix epoch. */
export async function insertOutgoingMail(
  tx: Transaction<Database>,
  mail: OutgoingMailRow & { readonly id: MailId; readonly nowMs: number; readonly heldBack: boolean },
): Promise<void> {
  await sql`
    /* insertOutgoingMail */
    insert into outgoing_mail (id, user_id, content, created_at)
    select ${uuidFromId(mail.id)}::uuid, ${uuidFromId(mail.userId)}::uuid, ${mail.content}::bytea, ${new Date(mail.nowMs)}::timestamptz
    where not ${mail.heldBack}
  `.execute(tx);
}

/** The mail, while it is still to be sent. */
export async function selectOutgoingMail(
  db: Kysely<Database>,
  id: MailId,
): Promise<OutgoingMailRow | undefined> {
  const result = await sql<{ user_id: string; content: Buffer }>`
    /* selectOutgoingMail */
    select user_id, content from outgoing_mail where id = ${uuidFromId(id)}
  `.execute(db);
  const row = result.rows[0];
  return row === undefined ? undefined : { userId: idFromUuid('user', row.user_id), content: row.content };
}

/** Forgets a mail that has gone, or never will. */
export async function deleteOutgoingMail(db: Kysely<Database>, id: MailId): Promise<void> {
  await sql`/* deleteOutgoingMail */ delete from outgoing_mail where id = ${uuidFromId(id)}`.execute(db);
}
