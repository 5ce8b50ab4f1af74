import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import type { Database } from '../db/connect.ts';
import {
  deleteOutgoingMail,
  insertOutgoingMail,
  type MailId,
  selectOutgoingMail,
} from '../db/outgoing-mail.ts';
import type { JobKind, JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../lib/clock.ts';
import { newId, parseId, type UserId } from '../lib/ids.ts';
import { sealContext } from '../privacy/context.ts';
import { type DataKey, open, seal } from '../privacy/envelope.ts';
import { madeKey, type Vault } from '../privacy/vault.ts';
import type { MailTransport } from './mail.ts';
import { type Letter, wordingOf } from './templates.ts';

type MailJob = { readonly mailId: string };

const MAIL: JobKind<MailJob> = {
  name: 'mail',
  parse: (data) => z.object({ mailId: z.string() }).parse(data),
  retriesMax: 8,
  retryDelaySeconds: 5,
  retryDelayMaxSeconds: 600,
  runSecondsMax: 60,
};

const CONTENT = z.object({ to: z.string(), subject: z.string(), text: z.string() });

/** Writes a mail down to be sent, with the transaction that causes it. */
export async function queueMail(
  deps: {
    readonly vault: Vault;
    readonly jobs: JobQueue;
    readonly clock: Clock;
    readonly publicUrl: string;
  },
  tx: Transaction<Database>,
  request: {
    readonly userId: UserId;
    readonly to: string;
    readonly letter: Letter;
    /** The user's, when the caller has it. */
    readonly key?: DataKey;
    /** Does all that a mail takes, and sends none: who looks from outside cannot tell. */
    readonly heldBack?: boolean;
  },
): Promise<void> {
  const { userId, to, letter, heldBack = false } = request;
  const nowMs = deps.clock.nowMs();
  const id = newId('mail', nowMs);
  const key = request.key ?? (await madeKey(deps.vault, userId, tx));
  const content = JSON.stringify({ to, ...wordingOf(letter, deps.publicUrl) });
  const sealed = seal(key, sealContext.mail(id), content);
  await insertOutgoingMail(tx, { id, userId, content: sealed, nowMs, heldBack });
  await deps.jobs.enqueue(tx, MAIL, { mailId: id });
}

/** Sends what is written down, two at a time. What cannot be sent after eight tries is forgotten, and logged by its id. */
export async function workMails(deps: {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
  readonly jobs: JobQueue;
  readonly transport: MailTransport;
}): Promise<void> {
  await deps.jobs.work(MAIL, {
    concurrency: 2,
    run: async ({ mailId }) => {
      const id = parseId('mail', mailId);
      if (id !== undefined) await sendMail(deps, id);
    },
    givenUp: async ({ mailId }) => {
      const id = parseId('mail', mailId);
      if (id !== undefined) await deleteOutgoingMail(deps.db, id);
    },
  });
}

/** A mail may go twice when we die between the two statements: better than not at all. */
async function sendMail(
  deps: { readonly db: Kysely<Database>; readonly vault: Vault; readonly transport: MailTransport },
  id: MailId,
): Promise<void> {
  const row = await selectOutgoingMail(deps.db, id);
  if (row === undefined) return;
  const key = (await deps.vault.dataKeys([row.userId], { create: false })).get(row.userId);
  // Whose key is gone was erased: nobody is to be written to any more.
  if (key !== undefined) {
    await deps.transport.send(
      CONTENT.parse(JSON.parse(open(key, sealContext.mail(id), row.content).toString('utf8'))),
    );
  }
  await deleteOutgoingMail(deps.db, id);
}
