import type { UserId } from '../../lib/ids.ts';
import { addressBlock } from '../../limits/address.ts';
import { RateLimitedError } from '../../limits/errors.ts';
import type { BucketRule, Limiter } from '../../limits/limiter.ts';

/** A bucket of so many tries that fills again within an hour. */
function perHour(tries: number): BucketRule {
  return { capacity: tries, restorePerSecond: tries / 3_600 };
}

/**
 * How often may be tried to sign in. Unknown devices share what guessers would use up; a device that has signed in before
 * has tries of its own, so that guessers cannot lock its owner out. In an hour a bucket gives at most twice its size: all
 * unknown devices together get fewer than 100 wrong tries.
 */
const SIGN_IN = {
  addressAndAccount: perHour(5),
  account: perHour(10),
  address: perHour(20),
  everybody: perHour(45),
  knownDevice: perHour(10),
} as const;

/** What else strangers may ask for: each costs a hash or a mail. */
const ASKED_BY_ADDRESS = perHour(20);
const MAILS_TO_ACCOUNT = perHour(5);
const ASKED_BY_USER = perHour(5);

/** A sign-in that is about to be tried. */
export interface SignInTry {
  /** The account's keyed hash in hexadecimal, known or not. */
  readonly account: string;
  readonly address: string | null;
  /** Names a device that has signed in to this account before; null for any other. */
  readonly device: string | null;
}

/**
 * Takes the try out of every bucket that it concerns, before anything is hashed. Resolves to what to call once the password proved right:
 * it puts the try back where many share a bucket, so that only guessing drains those. What the address has stays spent: each
 * try costs a hash.
 * @throws RateLimitedError
 */
export async function takeSignInTry(limiter: Limiter, attempt: SignInTry): Promise<() => Promise<void>> {
  const { account, device } = attempt;
  if (device !== null) {
    await take(limiter, `sign-in:device:${account}:${device}`, SIGN_IN.knownDevice);
    return () => Promise.resolve();
  }
  const address = addressBlock(attempt.address);
  await take(limiter, `sign-in:pair:${address}:${account}`, SIGN_IN.addressAndAccount);
  await take(limiter, `sign-in:address:${address}`, SIGN_IN.address);
  await take(limiter, `sign-in:account:${account}`, SIGN_IN.account);
  await take(limiter, 'sign-in:everybody', SIGN_IN.everybody);
  return async () => {
    await limiter.giveBack(`sign-in:account:${account}`, 1, SIGN_IN.account);
    await limiter.giveBack('sign-in:everybody', 1, SIGN_IN.everybody);
  };
}

/** Takes one of the requests that strangers may make from an address. @throws RateLimitedError */
export function takeRequest(limiter: Limiter, what: string, address: string | null): Promise<void> {
  return take(limiter, `${what}:address:${addressBlock(address)}`, ASKED_BY_ADDRESS);
}

/** Takes one of the mails that a user may have sent to an address that is not theirs (yet). @throws RateLimitedError */
export function takeMailToStranger(limiter: Limiter, userId: UserId): Promise<void> {
  return take(limiter, `mail:stranger:${userId}`, ASKED_BY_USER);
}

/** Whether one more mail may go to this account. Who asked is told nothing. */
export async function mayMail(limiter: Limiter, account: string): Promise<boolean> {
  return (await limiter.consume(`mail:account:${account}`, 1, MAILS_TO_ACCOUNT)).allowed;
}

async function take(limiter: Limiter, key: string, rule: BucketRule): Promise<void> {
  const { allowed, retryAfterSeconds } = await limiter.consume(key, 1, rule);
  if (!allowed) throw new RateLimitedError(retryAfterSeconds);
}
