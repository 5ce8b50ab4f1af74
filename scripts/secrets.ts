/** Fails when a file that git tracks seems to hold a secret. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';

/** Larger files are data, not somebody's slip: they are named instead of read. */
const FILE_BYTES_MAX = 5_000_000;

/** What secrets look like. Each pattern is specific enough that a hit is worth a person's look. */
const PATTERNS: ReadonlyArray<{ readonly what: string; readonly pattern: RegExp }> = [
  { what: 'a private key', pattern: /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/ },
  { what: 'an AWS access key', pattern: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/ },
  { what: 'a GitHub token', pattern: /\bgh[pousr]_[0-9A-Za-z]{36}\b|\bgithub_pat_[0-9A-Za-z_]{60,}\b/ },
  { what: 'a Slack token', pattern: /\bxox[abprs]-[0-9A-Za-z-]{20,}/ },
  { what: 'a Stripe key', pattern: /\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{20,}|\bwhsec_[0-9A-Za-z+/]{24,}/ },
  { what: 'a Google API key', pattern: /\bAIza[0-9A-Za-z_-]{35}\b/ },
  { what: 'an npm token', pattern: /\bnpm_[0-9A-Za-z]{36}\b|_authToken\s*=\s*[0-9A-Za-z-]{20,}/ },
  { what: 'a JSON web token', pattern: /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/ },
  { what: 'an access key of Tallylight', pattern: /\btl[ok]_[0-9A-Za-z_-]{32,}/ },
  { what: 'a sign service key', pattern: /\beuler_[0-9A-Za-z]{24,}/ },
  {
    what: 'a password in a URL',
    pattern: /\b[a-z][a-z0-9+]{2,14}:\/\/[^\s:/@'"`${}<]+:(?!(?:password|hunter2)@)[^\s:/@'"`${}<]{6,}@/,
  },
  {
    what: 'a secret in an assignment',
    pattern:
      /(?:secret|password|passwd|token|master_?key|api_?key)["']?\s*[:=]\s*["'][0-9A-Za-z+/_=-]{32,}["']/i,
  },
];

/** Put on a line that only looks like a secret, with the reason after it. */
const EXCUSE = 'not-a-secret:';

/** A line that seems to hold a secret. Says where, never what stands there. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

/** The lines of a text that seem to hold a secret. */
export function findSecrets(path: string, text: string): readonly Finding[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.includes(EXCUSE)) return [];
    return PATTERNS.filter(({ pattern }) => pattern.test(line)).map(({ what }) => ({
      path,
      line: index + 1,
      what,
    }));
  });
}

/** The findings in all files that git tracks, or would track, in the folder `root`. */
export function findSecretsInTree(root: string): readonly Finding[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed
    .split('\0')
    .filter((path) => path !== '')
    .flatMap((path) => {
      const stats = statSync(`${root}/${path}`, { throwIfNoEntry: false });
      if (stats === undefined || !stats.isFile()) return [];
      if (stats.size > FILE_BYTES_MAX) return [{ path, line: 0, what: 'a file too large to be looked at' }];
      return findSecrets(path, readFileSync(`${root}/${path}`, 'utf8'));
    });
}

if (import.meta.main) {
  const findings = findSecretsInTree('.');
  for (const { path, line, what } of findings) console.error(`${path}:${line} looks like ${what}`);
  console.log(`secrets: ${findings.length} found`);
  if (findings.length > 0) process.exitCode = 1;
}
