import { createLogger } from '../lib/logger.ts';

/** Logs a bug of ours once, with its stack, and says in a sentence what happened. */
export function reportCrash(error: unknown, note: (line: string) => void): void {
  createLogger('error').error({ err: error }, 'process.crashed');
  note('Tallylight stopped because of a bug of its own. The line above has the details; please report it.');
}
