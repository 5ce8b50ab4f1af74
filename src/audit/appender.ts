import type { Kysely, Transaction } from 'kysely';
import { deleteAuditIntents, insertAuditEntries, lockAuditHead } from '../db/audit-log.ts';
import type { Database } from '../db/connect.ts';
import { assert } from '../lib/assert.ts';
import type { Id } from '../lib/ids.ts';
import type { AuditChain } from './chain.ts';
import type { AuditContent, AuditEntry } from './entry.ts';

/** Entries of one transaction at most. */
const BATCH_MAX = 100;

interface Waiting {
  readonly content: AuditContent;
  /** What is taken away together with adding the entry; null: nothing was noted before. */
  readonly intentId: Id<'auditEntry'> | null;
  readonly done: (added: boolean) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Adds entries of this process to the log. Entries come one after the other, so each would wait for the commit of the one before;
 * those that come while a transaction is under way go together into the next. Whoever adds one goes on when it is committed, and no
 * sooner.
 */
export class Appender {
  readonly #db: Kysely<Database>;
  readonly #chain: AuditChain;
  #waiting: Waiting[] = [];
  #running: boolean = false;

  constructor(db: Kysely<Database>, chain: AuditChain) {
    this.#db = db;
    this.#chain = chain;
  }

  /** Adds an entry. With an intent that is not there (any more) nothing is added, and it resolves to false. */
  add(content: AuditContent, intentId: Id<'auditEntry'> | null): Promise<boolean> {
    return new Promise((done, failed) => {
      this.#waiting.push({ content, intentId, done, failed });
      if (!this.#running) void this.#run();
    });
  }

  /** Adds entries in a transaction of the caller's. */
  async append(tx: Transaction<Database>, contents: readonly AuditContent[]): Promise<void> {
    if (contents.length === 0) return;
    let last: Pick<AuditEntry, 'sequence' | 'hash'> = await lockAuditHead(tx);
    const entries = contents.map((content) => {
      const entry = this.#chain.next(last, content);
      last = entry;
      return entry;
    });
    await insertAuditEntries(tx, { entries, head: this.#chain.headOf(last) });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0, BATCH_MAX));
    this.#running = false;
  }

  /** Never rejects. */
  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const added = await this.#db.transaction().execute((tx) => this.#addAll(tx, batch));
      for (const item of batch) item.done(added.has(item));
    } catch (error) {
      const [only] = batch;
      assert(only !== undefined, 'a batch has entries');
      if (batch.length === 1) return only.failed(error);
      // One that cannot be stored must not take the others with it.
      for (const item of batch) await this.#write([item]);
    }
  }

  /** The intents first and the head last, as everybody does: so nobody waits for each other in a circle. */
  async #addAll(tx: Transaction<Database>, batch: readonly Waiting[]): Promise<ReadonlySet<Waiting>> {
    const ids = batch.flatMap(({ intentId }) => (intentId === null ? [] : [intentId]));
    const taken = ids.length === 0 ? new Set() : await deleteAuditIntents(tx, ids);
    const items = batch.filter(({ intentId }) => intentId === null || taken.has(intentId));
    await this.append(
      tx,
      items.map(({ content }) => content),
    );
    return new Set(items);
  }
}
