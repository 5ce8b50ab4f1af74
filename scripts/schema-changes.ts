/**
 * Fails when `schema.graphql` breaks clients of the last committed schema, or deprecates something without saying what takes its
 * place and when it goes. The last committed schema is where the branch left `main`, on `main` the commit before, or what the
 * first argument names (a tag, say). What was reviewed and is meant stands in `scripts/accepted-schema-changes.txt`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  findBreakingChanges,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from 'graphql';

const ACCEPTED = new URL('./accepted-schema-changes.txt', import.meta.url);
/** Names the replacement and the day. */
const REASON_PATTERN = /^Use .+\. Removal on (\d{4}-\d{2}-\d{2})\.$/;

/** One sentence per change that breaks clients written for `before`. */
export function breakingChanges(before: string, after: string): readonly string[] {
  return findBreakingChanges(buildSchema(before), buildSchema(after)).map(({ description }) => description);
}

/** The changes that nobody has accepted. A line of the list is a change's sentence; `#` begins a remark. */
export function unacceptedChanges(changes: readonly string[], accepted: string): readonly string[] {
  const lines = new Set(accepted.split('\n').map((line) => line.trim()));
  return changes.filter((change) => !lines.has(change));
}

/** One sentence per deprecation whose reason is not "Use X. Removal on YYYY-MM-DD.". */
export function badDeprecations(text: string): readonly string[] {
  const found: string[] = [];
  const look = (coordinate: string, reason: string | null | undefined) => {
    if (reason == null) return;
    const day = REASON_PATTERN.exec(reason)?.[1];
    if (day === undefined || Number.isNaN(Date.parse(day))) {
      found.push(
        `${coordinate}: the reason must read "Use X. Removal on YYYY-MM-DD.", and reads "${reason}"`,
      );
    }
  };
  for (const type of Object.values(buildSchema(text).getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isEnumType(type))
      for (const value of type.getValues()) look(`${type.name}.${value.name}`, value.deprecationReason);
    if (isInputObjectType(type))
      for (const field of Object.values(type.getFields()))
        look(`${type.name}.${field.name}`, field.deprecationReason);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      look(`${type.name}.${field.name}`, field.deprecationReason);
      for (const arg of field.args) look(`${type.name}.${field.name}(${arg.name}:)`, arg.deprecationReason);
    }
  }
  return found;
}

function git(...args: readonly string[]): string | null {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return status === 0 ? stdout : null;
}

/** The commit to compare with; null when there is none. */
function baseCommit(): string | null {
  const head = git('rev-parse', 'HEAD')?.trim();
  const base = git('merge-base', 'HEAD', 'main')?.trim() ?? head;
  // On main itself with nothing uncommitted there is only the commit before to compare with.
  const unchanged = base === head && git('diff', '--name-only', 'HEAD', '--', 'schema.graphql') === '';
  return (unchanged ? git('rev-parse', 'HEAD~1')?.trim() : base) ?? null;
}

if (import.meta.main) {
  const after = readFileSync('schema.graphql', 'utf8');
  const base = process.argv[2] ?? baseCommit();
  const before = base === null ? null : git('show', `${base}:schema.graphql`);
  const changes = before === null ? [] : breakingChanges(before, after);
  const broken = unacceptedChanges(changes, readFileSync(ACCEPTED, 'utf8'));
  const bad = badDeprecations(after);
  for (const change of broken) console.error(`breaks clients of ${base}: ${change}`);
  for (const sentence of bad) console.error(`deprecation: ${sentence}`);
  console.log(
    before === null
      ? 'schema: there is no committed schema to compare with'
      : `schema: ${broken.length} breaking changes not accepted, of ${changes.length}, since ${base}`,
  );
  if (broken.length + bad.length > 0) process.exitCode = 1;
}
