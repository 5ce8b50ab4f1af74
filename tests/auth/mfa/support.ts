import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { generateSync } from 'otplib';
import { beginTotp, type FactorOwner, finishTotp } from '../../../src/auth/mfa/enrolment.ts';
import type { VerificationDeps } from '../../../src/auth/mfa/verification.ts';
import { createNativeSessionStore } from '../../../src/auth/sessions/native-session-store.ts';
import type { PlatformRole } from '../../../src/auth/viewer.ts';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import { newId, type UserId, uuidFromId } from '../../../src/lib/ids.ts';
import { sealContext } from '../../../src/privacy/context.ts';
import { seal } from '../../../src/privacy/envelope.ts';
import { type MasterKey, parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault } from '../../../src/privacy/vault.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

/** 2026-11-26T00:00:00Z, at the beginning of a time step. */
export const START_MS = 1_795_651_200_000;
export const ORIGIN = 'https://tally.example.org';
const DAY_MS = 86_400_000;

/** The second factors' domain over a database of its own, with a clock that the test holds. */
export interface MfaFixture extends AsyncDisposable {
  readonly deps: VerificationDeps;
  readonly database: TestDatabase;
  readonly masterKey: MasterKey;
  readonly clock: { ms: number };
  /** A user whose password is `right`, signed in. */
  signedIn(user?: { readonly role?: PlatformRole; readonly password?: boolean }): Promise<FactorOwner>;
  /** Another sign-in of the same user. */
  signInAgain(userId: UserId): Promise<FactorOwner>;
  /** Enrols an authenticator app: the sign-in as it goes on, the app's secret, the recovery codes. */
  withTotp(owner: FactorOwner): Promise<{
    readonly owner: FactorOwner;
    readonly secret: string;
    readonly recoveryCodes: readonly string[];
  }>;
  /** The app's code `stepsAhead` time steps from now. */
  code(secret: string, stepsAhead?: number): string;
}

export async function startMfa(): Promise<MfaFixture> {
  const cleanup = new AsyncDisposableStack();
  const database = cleanup.use(await createTestDatabase());
  const { db } = database;
  const state = { ms: START_MS };
  const clock = { nowMs: () => state.ms };
  const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
  const vault = createVault({ db, masterKey, clock });
  const bus = createInProcessBus({ clock });
  cleanup.defer(() => bus.close());
  const sessions = createNativeSessionStore(
    { db, vault, clock, bus },
    { idleMs: 7 * DAY_MS, absoluteMs: 30 * DAY_MS },
  );
  const deps: VerificationDeps = {
    db,
    vault,
    clock,
    bus,
    sessions,
    publicUrl: ORIGIN,
    passwords: { verify: async (stored, password) => (stored === `hash of ${password}` ? 'RIGHT' : 'WRONG') },
  };
  const signInAgain = async (userId: UserId): Promise<FactorOwner> => {
    const { session } = await sessions.create({ userId, mfaAt: null, userAgent: null, address: null });
    return { userId, signInId: session.id };
  };
  const code: MfaFixture['code'] = (secret, stepsAhead = 0) =>
    generateSync({ secret, epoch: Math.floor(state.ms / 1000) + 30 * stepsAhead });
  return {
    deps,
    database,
    masterKey,
    clock: state,
    signInAgain,
    code,
    signedIn: async ({ role = 'USER', password = true } = {}) => {
      const userId = newId('user', state.ms);
      const key = (await vault.dataKeys([userId], { create: true })).get(userId);
      if (key === undefined) throw new Error('a key is missing');
      const email = seal(key, sealContext.userEmail(userId), 'alice@example.org');
      await sql`insert into app_user (id, email_hash, email, email_verified_at, password_hash, platform_role)
        values (${uuidFromId(userId)}, ${randomBytes(32)}, ${email}, now(),
          ${password ? 'hash of right' : null}, ${role})`.execute(db);
      return signInAgain(userId);
    },
    withTotp: async (owner) => {
      const { secret } = await beginTotp(deps, owner.userId);
      const { issued, recoveryCodes } = await finishTotp(deps, owner, code(secret));
      return {
        owner: { userId: owner.userId, signInId: issued.session.id },
        secret,
        recoveryCodes: recoveryCodes ?? [],
      };
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}
