import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Kysely } from 'kysely';
import type { AccountDeps } from '../../../src/auth/accounts/deps.ts';
import { signUp } from '../../../src/auth/accounts/sign-up.ts';
import { createPasswordHasher } from '../../../src/auth/passwords/password-hasher.ts';
import { createPasswordStrength } from '../../../src/auth/passwords/password-strength.ts';
import {
  createSessionStore,
  DEFAULT_SESSION_OPTIONS,
} from '../../../src/auth/sessions/create-session-store.ts';
import { createTokens } from '../../../src/auth/tokens/tokens.ts';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import type { Database } from '../../../src/db/connect.ts';
import { createPgBossQueue } from '../../../src/jobs/pg-boss-queue.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { createInProcessLimiter } from '../../../src/limits/in-process-limiter.ts';
import { createFolderTransport } from '../../../src/mail/folder-transport.ts';
import { workMails } from '../../../src/mail/outbox.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault } from '../../../src/privacy/vault.ts';
import { createTestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait.ts';

/** A password nobody guesses. */
export const GOOD_PASSWORD = 'plum-tractor-ninety-gravel';

/** Accounts over a database of their own, with a clock that is set and mails that land in a folder. */
export interface AccountFixture extends AsyncDisposable {
  readonly deps: AccountDeps;
  readonly db: Kysely<Database>;
  /** Lets time pass, in milliseconds. */
  pass(ms: number): void;
  /** The text of a mail to this address whose subject matches, each once. Waits for it. */
  mail(to: string, subject: RegExp): Promise<string>;
  /** Signs up and returns the code from the mail. */
  signedUp(email: string): Promise<string>;
}

export async function createAccountFixture(): Promise<AccountFixture> {
  const cleanup = new AsyncDisposableStack();
  const { db, url } = cleanup.use(await createTestDatabase());
  const logger = createLogger('silent');
  const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
  const time = { nowMs: Date.UTC(2026, 10, 25) };
  const clock = { nowMs: () => time.nowMs };
  const bus = createInProcessBus({ clock });
  cleanup.defer(() => bus.close());
  const vault = createVault({ db, masterKey, clock });
  const jobs = await createPgBossQueue({ connectionString: url, role: 'worker', logger });
  cleanup.defer(() => jobs.stop());
  const passwordStrength = createPasswordStrength();
  cleanup.defer(() => passwordStrength.stop());
  const folder = await mkdtemp(path.join(tmpdir(), 'tallylight-mail-'));
  cleanup.defer(() => rm(folder, { recursive: true }));
  const transport = createFolderTransport({ clock, logger }, { folder, from: 'us@example.test' });
  await workMails({ db, vault, jobs, transport });
  const deps: AccountDeps = {
    db,
    bus,
    vault,
    clock,
    masterKey,
    jobs,
    limiter: createInProcessLimiter({ clock }),
    tokens: await createTokens({
      db,
      bus,
      vault,
      clock,
      masterKey,
      publicUrl: 'https://tally.example.test',
      onReuse: async () => undefined,
    }),
    sessions: createSessionStore({ db, bus, vault, clock }, DEFAULT_SESSION_OPTIONS),
    passwords: createPasswordHasher(masterKey),
    passwordStrength,
    publicUrl: 'https://tally.example.test',
  };
  const mails = async () => {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.eml')).toSorted();
    return Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')));
  };
  const read = new Set<string>();
  const mail: AccountFixture['mail'] = async (to, subject) => {
    const text = await waitFor(
      async () =>
        (await mails()).findLast(
          (each) =>
            !read.has(each) &&
            each.includes(`To: ${to}\r\n`) &&
            subject.test(/^Subject: (.*)$/m.exec(each)?.[1] ?? ''),
        ),
      { message: `a mail to ${to} about ${subject}` },
    );
    read.add(text);
    return text;
  };
  return {
    deps,
    db,
    mail,
    pass: (ms) => {
      time.nowMs += ms;
    },
    signedUp: async (email) => {
      const request = {
        email,
        password: GOOD_PASSWORD,
        displayName: 'Somebody',
        setupCode: null,
        address: null,
      };
      await signUp(deps, request);
      return codeIn(await mail(email, /Confirm/));
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

/** The code that a mail tells: 22 characters on a line of their own. */
export function codeIn(mail: string): string {
  const code = /^ {2}([A-Za-z0-9_-]{22})\r?$/m.exec(mail)?.[1];
  if (code === undefined) throw new Error('the mail has a code');
  return code;
}
