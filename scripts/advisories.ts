/** Asks the registry for known vulnerabilities of the tree; fails from HIGH on. A registry that does not answer is said, not failed. */
import { spawnSync } from 'node:child_process';

/** What the registry had to say. */
export type AdvisoryResult =
  | { readonly kind: 'NOT_AVAILABLE'; readonly reason: string }
  | {
      readonly kind: 'ANSWERED';
      readonly counts: Readonly<Record<string, number>>;
      readonly failing: number;
    };

/** Reads the output of `npm audit --json`. Anything that is not a report means that there was no answer. */
export function readAudit(output: string): AdvisoryResult {
  const report = parseJson(output);
  const counts = report?.metadata?.vulnerabilities;
  if (counts === undefined) {
    return { kind: 'NOT_AVAILABLE', reason: report?.message ?? report?.error?.summary ?? 'no report' };
  }
  return { kind: 'ANSWERED', counts, failing: (counts.high ?? 0) + (counts.critical ?? 0) };
}

interface AuditReport {
  readonly message?: string;
  readonly error?: { readonly summary?: string };
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> };
}

function parseJson(output: string): AuditReport | null {
  try {
    return JSON.parse(output);
  } catch {
    return null;
  }
}

if (import.meta.main) {
  const run = spawnSync('npm', ['audit', '--json'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  const result = readAudit(run.stdout);
  if (result.kind === 'NOT_AVAILABLE') {
    console.log(`advisories: not available (${result.reason.split('\n')[0]})`);
  } else {
    console.log(`advisories: ${JSON.stringify(result.counts)}`);
    if (result.failing > 0) process.exitCode = 1;
  }
}
