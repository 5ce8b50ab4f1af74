/**
 * Fails when `schema.graphql` breaks clients of the last release: something they may use is gone or became stricter.
 * A release is a tag `v…`; before the first one there is nobody to break.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { buildSchema, findBreakingChanges } from 'graphql';

/** One sentence per change that breaks clients written for `before`. */
export function breakingChanges(before: string, after: string): readonly string[] {
  return findBreakingChanges(buildSchema(before), buildSchema(after)).map(({ description }) => description);
}

function git(...args: readonly string[]): string | null {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' });
  return status === 0 ? stdout : null;
}

if (import.meta.main) {
  const release = git('describe', '--tags', '--abbrev=0', '--match', 'v*')?.trim();
  const before = release === undefined ? null : git('show', `${release}:schema.graphql`);
  if (before === null) {
    console.log('schema: there is no release to compare with');
  } else {
    const broken = breakingChanges(before, readFileSync('schema.graphql', 'utf8'));
    for (const change of broken) console.error(`breaks clients of ${release}: ${change}`);
    console.log(`schema: ${broken.length} breaking changes since ${release}`);
    if (broken.length > 0) process.exitCode = 1;
  }
}
