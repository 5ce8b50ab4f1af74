import { exportAuditLog } from '../audit/export.ts';
import { type AuditVerdict, type NotedPlace, verifyAuditLog } from '../audit/verify.ts';
import type { Command, CommandContext } from './command.ts';
import { EXIT_CODES, type ExitCode, UsageError } from './exit-code.ts';
import { withFoundation } from './foundation.ts';

/** `tallylight audit verify` and `tallylight audit export`. */
export const auditCommand: Command = {
  name: 'audit',
  summary: 'check or export the audit log',
  usage: 'verify|export [options]',
  description:
    'verify looks at every entry of the audit log and names the first that was changed, moved, added or is missing; exit code 1 then.\n' +
    'It prints the last entry and its hash: note them elsewhere, and --noted shows later whether the log was put back as a whole.\n' +
    'export prints every entry as a line of JSON.\n' +
    'Works on DATABASE_URL, or on the embedded database, also while `tallylight start` runs on it.',
  positionals: { min: 1, max: 1 },
  options: [
    {
      name: 'noted',
      placeholder: 'sequence:hash',
      description: 'An entry that verify printed before and must still find.',
      defaultText: null,
    },
  ],
  choices: [],
  examples: ['tallylight audit verify', 'tallylight audit export > audit.jsonl'],
  logLevel: 'warn',
  run: runAudit,
};

async function runAudit(context: CommandContext): Promise<ExitCode> {
  const { terminal, input } = context;
  const [action] = input.positionals;
  if (action !== 'verify' && action !== 'export') {
    throw new UsageError('the audit log can be checked or exported: audit verify, audit export.');
  }
  const noted = notedPlace(input.text('noted'));
  return withFoundation(context, 'audit', async (foundation) => {
    if (action === 'export') {
      for await (const line of exportAuditLog(foundation.db)) terminal.print(line);
      return EXIT_CODES.OK;
    }
    const verdict = await verifyAuditLog(foundation, { noted });
    terminal.print(verdictText(verdict));
    return verdict.intact ? EXIT_CODES.OK : EXIT_CODES.FAILED;
  });
}

function notedPlace(text: string | undefined): NotedPlace | null {
  if (text === undefined) return null;
  const match = /^(\d{1,18}):([0-9a-f]{64})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new UsageError('--noted takes a sequence and a hash as verify prints them, like 12:ab….');
  }
  return { sequence: BigInt(match[1]), hash: match[2] };
}

const FAULTS = {
  MISSING: 'is missing',
  CHANGED: 'was changed',
  REORDERED: 'does not follow the one before',
  ADDED: 'was added by somebody else',
  HEAD_CHANGED: 'is not where the log says it ends',
  NOT_AS_NOTED: 'is not the one that was noted',
} as const;

function verdictText(verdict: AuditVerdict): string {
  if (verdict.intact)
    return `intact: ${verdict.entries} entries, the last is ${verdict.entries}:${verdict.hash}`;
  return `broken: entry ${verdict.sequence} ${FAULTS[verdict.fault]}`;
}
