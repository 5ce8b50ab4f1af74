import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import type { JobQueue } from '../../jobs/job-queue.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Limiter } from '../../limits/limiter.ts';
import type { MasterKey } from '../../privacy/master-key.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { PasswordHasher } from '../passwords/password-hasher.ts';
import type { PasswordStrength } from '../passwords/password-strength.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { SignInDeps } from '../sign-ins.ts';

/** What accounts work with. */
export interface AccountDeps extends SignInDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly masterKey: MasterKey;
  readonly jobs: JobQueue;
  readonly limiter: Limiter;
  readonly sessions: SessionStore;
  readonly passwords: PasswordHasher;
  readonly passwordStrength: PasswordStrength;
  /** Where clients reach us, without a slash at the end: what mails link to. */
  readonly publicUrl: string;
}
