import { Worker } from 'node:worker_threads';
import { InvalidInputError } from '../../errors/invalid-input.ts';
import { withinMs } from '../../lib/pause.ts';
import { WeakPasswordError } from './password-errors.ts';

/** ASVS 6.2.1: at least 8 characters. What is shorter is not even looked at. */
export const PASSWORD_CHARACTERS_MIN = 8;
/** All of it is hashed; more than this many bytes of UTF-8 is not a password. */
export const PASSWORD_BYTES_MAX = 256;
/** How much of a password is judged: judging takes longer than in proportion. */
const JUDGED_CHARACTERS_MAX = 72;
/** zxcvbn's scale of 0 to 4: 3 takes more than 10^8 guesses. */
const SCORE_MIN = 3;
/** A judgement that takes longer is none: the judge is ended and the password counts as it is. */
const JUDGE_MS_MAX = 5_000;

/** Says how soon a password would be guessed. Its thread starts at the first question. */
export interface PasswordStrength {
  /**
   * @param words what an attacker would try first with this person: name, address
   * @throws InvalidInputError when it is too short or too long; `field` names it
   * @throws WeakPasswordError
   */
  require(
    password: string,
    options: { readonly field: string; readonly words: readonly string[] },
  ): Promise<void>;
  stop(): Promise<void>;
}

interface Judgement {
  readonly id: number;
  readonly score: number;
  readonly suggestions: readonly string[];
}

export function createPasswordStrength(): PasswordStrength {
  let worker: Worker | null = null;
  let nextId = 0;
  const waiting = new Map<number, (judgement: Judgement | null) => void>();
  const end = async () => {
    const ending = worker;
    worker = null;
    for (const settle of waiting.values()) settle(null);
    waiting.clear();
    await ending?.terminate();
  };
  const start = (): Worker => {
    const started = new Worker(new URL('./strength-worker.ts', import.meta.url));
    started.unref();
    started.on('message', (judgement: Judgement) => {
      waiting.get(judgement.id)?.(judgement);
      waiting.delete(judgement.id);
    });
    started.on('error', () => void end());
    return started;
  };
  const judge = (password: string, words: readonly string[]): Promise<Judgement | null> => {
    worker ??= start();
    const id = nextId++;
    const { promise, resolve } = Promise.withResolvers<Judgement | null>();
    waiting.set(id, resolve);
    worker.postMessage({ id, password: password.slice(0, JUDGED_CHARACTERS_MAX), words });
    return promise;
  };
  return {
    require: async (password, { field, words }) => {
      requireLength(password, field);
      const judgement = await withinMs(judge(password, words), JUDGE_MS_MAX);
      // Without a judge (it hangs or died) nobody could sign up any more: the length then has to do.
      if (judgement === 'TIMED_OUT') await end();
      if (judgement === 'TIMED_OUT' || judgement === null) return;
      if (judgement.score < SCORE_MIN) throw new WeakPasswordError(judgement.suggestions);
    },
    stop: end,
  };
}

function requireLength(password: string, field: string): void {
  if ([...password].length >= PASSWORD_CHARACTERS_MIN && Buffer.byteLength(password) <= PASSWORD_BYTES_MAX)
    return;
  const message = `${field} must have at least ${PASSWORD_CHARACTERS_MIN} characters and at most ${PASSWORD_BYTES_MAX} bytes.`;
  throw new InvalidInputError([{ path: [field], code: 'OUT_OF_RANGE', message }]);
}
