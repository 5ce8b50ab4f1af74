/** Fails when a package of the whole tree, as the lockfile pins it, has a licence that is not on the list. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Permissive licences: fine anywhere. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
]);

/** Fine in build tools, which are not shipped: file-wide copyleft, and data under attribution. */
const BUILD_TOOLS_ONLY = new Set(['MPL-2.0', 'CC-BY-4.0']);

/** A package of the tree. */
export interface TreePackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression of its manifest; null when it names none. */
  readonly licence: string | null;
  readonly buildToolOnly: boolean;
}

/** One sentence per package that may not be in the tree. */
export function refusedLicences(packages: readonly TreePackage[]): readonly string[] {
  return packages.flatMap((entry) => {
    const id = `${entry.name}@${entry.version}`;
    const { licence } = entry;
    if (licence === null) return [`${id} names no licence`];
    if (isAllowed(licence, entry.buildToolOnly)) return [];
    return [
      `${id} is under ${licence}, which is not on the list${entry.buildToolOnly ? '' : ' for what we ship'}`,
    ];
  });
}

/** Every package that the lockfile pins, for all platforms; the manifest counts where it is installed. */
export function lockedPackages(root: string): readonly TreePackage[] {
  const lock: { packages: Record<string, LockEntry> } = JSON.parse(
    readFileSync(join(root, 'package-lock.json'), 'utf8'),
  );
  return Object.entries(lock.packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => ({
      name: entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version: entry.version,
      licence: manifestLicence(join(root, path, 'package.json')) ?? licenceText(entry),
      buildToolOnly: entry.dev === true,
    }));
}

interface LicenceFields {
  readonly license?: unknown;
  readonly licenses?: unknown;
}

interface LockEntry extends LicenceFields {
  readonly name?: string;
  readonly version: string;
  readonly dev?: boolean;
}

function manifestLicence(path: string): string | null {
  return existsSync(path) ? licenceText(JSON.parse(readFileSync(path, 'utf8'))) : null;
}

/** The licence in any of the forms that manifests have had over the years. */
function licenceText(manifest: LicenceFields): string | null {
  const { license, licenses } = manifest;
  if (typeof license === 'string') return license;
  const listed = Array.isArray(licenses) ? licenses : [license];
  const types = listed.map((item) =>
    typeof item === 'object' && item !== null && 'type' in item ? item.type : item,
  );
  return types.every((type) => typeof type === 'string') ? types.join(' OR ') : null;
}

/** Whether an SPDX expression can be satisfied from the lists. `WITH` exceptions and `+` are not on them, so refused. */
function isAllowed(expression: string, buildToolOnly: boolean): boolean {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const either = (): boolean => {
    let allowed = both();
    while (tokens[at] === 'OR') {
      at += 1;
      allowed = both() || allowed;
    }
    return allowed;
  };
  const both = (): boolean => {
    let allowed = one();
    while (tokens[at] === 'AND') {
      at += 1;
      allowed = one() && allowed;
    }
    return allowed;
  };
  const one = (): boolean => {
    const token = tokens[at] ?? '';
    at += 1;
    if (token !== '(') return PERMISSIVE.has(token) || (buildToolOnly && BUILD_TOOLS_ONLY.has(token));
    const allowed = either();
    at += 1; // the closing bracket
    return allowed;
  };
  return either() && at === tokens.length;
}

if (import.meta.main) {
  const packages = lockedPackages('.');
  const refused = refusedLicences(packages);
  for (const sentence of refused) console.error(sentence);
  console.log(`licences: ${packages.length} packages read, ${refused.length} refused`);
  if (refused.length > 0) process.exitCode = 1;
}
