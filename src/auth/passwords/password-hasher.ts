import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { DependencyError } from '../../errors/errors.ts';
import { deriveKey, type MasterKey } from '../../privacy/master-key.ts';

/** Argon2id. @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html: 19 MiB, 2 passes, 1 lane */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
/** `Algorithm.Argon2id` of the library, whose enum is one that type stripping cannot read. */
const ARGON2ID = 2;
/** Hashes under way at most: each takes 19 MiB and a thread for some 15 ms. */
const RUNNING_MAX = 2;
/** Who may wait for their turn: about a second of work. */
const WAITING_MAX = 100;

/** Makes hashes of passwords and holds passwords against them, a few at a time. */
export interface PasswordHasher {
  /** Argon2id in PHC form, with a pepper derived from the master key. @throws DependencyError (retryable) when too many wait */
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the one behind the hash. Without a hash (no such account, no password) it takes as long and
   * says no. `outdated`: right, but hashed with other parameters than today's. @throws DependencyError as above
   */
  verify(stored: string | null, password: string): Promise<'RIGHT' | 'OUTDATED' | 'WRONG'>;
}

export function createPasswordHasher(masterKey: MasterKey): PasswordHasher {
  const turns = new Turns();
  const secret = deriveKey(masterKey, 'password pepper');
  const options = {
    algorithm: ARGON2ID,
    memoryCost: MEMORY_KIB,
    timeCost: PASSES,
    parallelism: LANES,
    secret,
  };
  // What nobody's password is: made once, so that an unknown account costs what a known one does.
  let nobody: Promise<string> | null = null;
  const nobodysHash = () => {
    nobody ??= hash(randomBytes(32).toString('base64'), options);
    return nobody;
  };
  return {
    hash: (password) => turns.take(() => hash(password, options)),
    verify: (stored, password) =>
      turns.take(async () => {
        const right = await verify(stored ?? (await nobodysHash()), password, options);
        if (stored === null || !right) return 'WRONG';
        return isCurrent(stored) ? 'RIGHT' : 'OUTDATED';
      }),
  };
}

function isCurrent(stored: string): boolean {
  return stored.startsWith(`$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$`);
}

/** Lets a few at a time work, in the order they came. */
class Turns {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= RUNNING_MAX) {
      if (this.#waiting.length >= WAITING_MAX) {
        throw new DependencyError('too many passwords are waiting to be hashed', {
          dependency: 'passwords',
          retryable: true,
        });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next(); // the turn passes on
    }
  }
}
