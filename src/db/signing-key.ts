import { type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from './connect.ts';

/** A key that signs access tokens, as stored. */
export interface SigningKeyRow {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  /** SPKI, DER. */
  readonly publicKey: Buffer;
  /** PKCS #8, DER, sealed. */
  readonly privateKey: Buffer;
  readonly state: 'NEXT' | 'ACTIVE' | 'RETIRED';
}

/** The keys that are published: those in use, and those retired after `retiredSinceMs`. */
export async function selectSigningKeys(
  db: Kysely<Database>,
  { retiredSinceMs }: { readonly retiredSinceMs: number },
): Promise<readonly SigningKeyRow[]> {
  const result = await sql<{
    kid: string;
    public_key: Buffer;
    private_key: Buffer;
    state: SigningKeyRow['state'];
  }>`
    /* selectSigningKeys */
    select kid, public_key, private_key, state from signing_key
    where state <> 'RETIRED' or retired_at > ${new Date(retiredSinceMs)}
    order by created_at, kid
  `.execute(db);
  return result.rows.map((row) => ({
    kid: row.kid,
    publicKey: row.public_key,
    privateKey: row.private_key,
    state: row.state,
  }));
}

/** Lets only one at a time change which key signs, until the transaction ends. Readers are not held up. */
export async function lockSigningKeys(tx: Transaction<Database>): Promise<void> {
  await sql`/* lockSigningKeys */ lock table signing_key in share row exclusive mode`.execute(tx);
}

/** Stores a new key. At most one is NEXT and one ACTIVE. */
export async function insertSigningKey(
  tx: Transaction<Database>,
  row: SigningKeyRow & { readonly createdAt: number },
): Promise<void> {
  const at = new Date(row.createdAt);
  await sql`
    /* insertSigningKey */
    insert into signing_key (kid, public_key, private_key, state, created_at, activated_at)
    values (${row.kid}, ${row.publicKey}, ${row.privateKey}, ${row.state}, ${at},
      ${row.state === 'ACTIVE' ? at : null})
  `.execute(tx);
}

/** Retires the active key and lets the next one sign. Resolves to what signs now; undefined when there was no next. */
export async function advanceSigningKeys(
  tx: Transaction<Database>,
  nowMs: number,
): Promise<{ readonly kid: string } | undefined> {
  const now = new Date(nowMs);
  await sql`
    /* retireSigningKey */
    update signing_key set state = 'RETIRED', retired_at = ${now} where state = 'ACTIVE'
  `.execute(tx);
  const result = await sql<{ kid: string }>`
    /* activateSigningKey */
    update signing_key set state = 'ACTIVE', activated_at = ${now} where state = 'NEXT' returning kid
  `.execute(tx);
  return result.rows[0];
}

/** Forgets keys that were retired before. */
export async function deleteRetiredSigningKeys(db: Kysely<Database>, retiredBeforeMs: number): Promise<void> {
  await sql`
    /* deleteRetiredSigningKeys */
    delete from signing_key where state = 'RETIRED' and retired_at <= ${new Date(retiredBeforeMs)}
  `.execute(db);
}
