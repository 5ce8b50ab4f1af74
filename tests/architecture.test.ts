import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * The parts of the tree, as `docs/architecture.md` draws them. `imports`: parts whose code this part may use; `types`: parts
 * of which it may also use types. Everybody may import `lib` and `errors`, and itself. Any other edge fails the test.
 */
interface Part {
  readonly name: string;
  /** Files and folders; the longest match decides. */
  readonly paths: readonly string[];
  readonly imports: readonly string[];
  readonly types?: readonly string[];
}

const DOMAIN = [
  'contract',
  'stored',
  'page',
  'events',
  'ingest',
  'tiktok',
  'live',
  'privacy',
  'auth',
  'clients',
  'audit',
  'simulator',
  'health',
  'jobs',
  'limits',
  'mail',
];

const PARTS: readonly Part[] = [
  { name: 'lib', paths: ['src/lib/'], imports: [] },
  { name: 'errors', paths: ['src/errors/'], imports: [] },
  { name: 'contract', paths: ['src/events/unified-event.ts', 'src/events/event-id.ts'], imports: [] },
  {
    name: 'stored',
    paths: ['src/events/stored-event.ts', 'src/events/member-profile.ts'],
    imports: ['contract', 'privacy', 'db'],
  },
  { name: 'bus', paths: ['src/bus/'], imports: ['contract'] },
  { name: 'db', paths: ['src/db/'], imports: ['contract'], types: DOMAIN },
  { name: 'limits', paths: ['src/limits/'], imports: ['bus'] },
  { name: 'jobs', paths: ['src/jobs/'], imports: ['db'] },
  { name: 'privacy', paths: ['src/privacy/'], imports: ['db'], types: ['contract'] },
  { name: 'tiktok', paths: ['src/ingest/tiktok/'], imports: ['ingest', 'simulator', 'contract'] },
  { name: 'ingest', paths: ['src/ingest/'], imports: ['contract', 'stored', 'privacy', 'db', 'bus'] },
  {
    name: 'events',
    paths: ['src/events/'],
    imports: ['contract', 'stored', 'ingest', 'privacy', 'jobs', 'db', 'bus'],
  },
  { name: 'page', paths: ['src/live/page.ts'], imports: [] },
  {
    name: 'live',
    paths: ['src/live/'],
    imports: ['page', 'contract', 'stored', 'events', 'ingest', 'auth', 'privacy', 'db', 'bus'],
  },
  {
    name: 'auth',
    paths: ['src/auth/'],
    imports: ['page', 'privacy', 'db', 'limits', 'mail'],
    types: ['bus', 'jobs'],
  },
  { name: 'mail', paths: ['src/mail/'], imports: ['privacy', 'db', 'jobs'] },
  { name: 'clients', paths: ['src/clients/'], imports: ['page', 'auth', 'db'], types: ['bus'] },
  { name: 'audit', paths: ['src/audit/'], imports: ['page', 'auth', 'privacy', 'db'], types: ['bus'] },
  { name: 'simulator', paths: ['src/simulator/'], imports: [] },
  { name: 'health', paths: ['src/health/'], imports: ['db', 'bus'] },
  { name: 'context', paths: ['src/context.ts'], imports: [], types: [...DOMAIN, 'db', 'bus'] },
  { name: 'resolvers', paths: ['src/resolvers/'], imports: [...DOMAIN, 'context'], types: ['db', 'bus'] },
  {
    name: 'schema',
    paths: ['src/schema/'],
    imports: ['resolvers', 'context', 'contract', 'page', 'auth'],
    types: [...DOMAIN, 'db'],
  },
  {
    name: 'server',
    paths: ['src/server/'],
    imports: ['schema', 'resolvers', 'context', ...DOMAIN, 'db', 'bus'],
  },
  { name: 'config', paths: ['src/config/'], imports: [] },
  { name: 'cli', paths: ['src/cli/'], imports: ['server', 'config', ...DOMAIN, 'db', 'bus'] },
  { name: 'main', paths: ['src/main.ts'], imports: ['cli'] },
];
const EVERYBODYS = ['lib', 'errors'];

interface Import {
  readonly from: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const sources = globSync('src/**/*.ts')
  .map((path) => path.replaceAll('\\', '/'))
  .sort();
const texts = new Map(sources.map((path) => [path, readFileSync(path, 'utf8')]));
const imports = sources.flatMap((path) => importsOf(path));

describe('the architecture', () => {
  it('has a part for every file', () => {
    expect(sources.filter((path) => partOf(path) === undefined)).toEqual([]);
  });

  it('is drawn in the documents as it is held here', () => {
    const drawn = readFileSync('docs/architecture.md', 'utf8');
    const folders = PARTS.flatMap(({ paths }) => paths).filter(
      (path) => path.endsWith('/') || path === 'src/main.ts',
    );
    expect(folders.filter((path) => !drawn.includes(`\`${path}\``))).toEqual([]);
  });

  it('lets imports point down only, as the table says', () => {
    const forbidden = imports
      .filter(({ target }) => target.startsWith('src/'))
      .filter((edge) => !isAllowed(edge));
    expect(forbidden.map(describeImport)).toEqual([]);
  });

  it('has no circle between files', () => {
    const graph = new Map<string, string[]>();
    for (const { from, target, typeOnly } of imports) {
      if (!typeOnly && texts.has(target)) graph.set(from, [...(graph.get(from) ?? []), target]);
    }
    expect(findCircle(graph)).toEqual([]);
  });

  it('keeps the provider library to the source and its simulator', () => {
    for (const library of ['tiktok-live-connector', 'tiktok-live-api-sdk']) {
      expect(filesImporting(library).filter((path) => !path.startsWith('src/ingest/tiktok/'))).toEqual([]);
    }
    expect(
      filesImporting('tiktok-live-proto').filter(
        (path) => !/^src\/(?:ingest\/tiktok|simulator)\//.test(path),
      ),
    ).toEqual([]);
  });

  it.each([
    ['kysely and pg', /^(?:kysely|pg)$/, /^src\/(?:db\/|jobs\/|cli\/)/],
    ['pg-boss', /^pg-boss$/, /^src\/jobs\//],
    ['lucia', /^lucia$/, /^src\/auth\/sessions\/lucia-session-store\.ts$/],
    ['openid-client', /^openid-client$/, /^src\/auth\/external\/oidc\//],
    ['Clerk', /^@clerk\//, /^src\/auth\/external\/clerk\//],
    ['ioredis', /^ioredis$/, /^src\/bus\//],
    ['Pothos', /^@pothos\//, /^src\/(?:schema\/|server\/operation-guard\.ts)/],
  ])('keeps %s to its folder', (_what, packages, home) => {
    const abroad = imports.filter(
      ({ from, target, typeOnly }) => !typeOnly && packages.test(target) && !home.test(from),
    );
    expect(abroad.map(describeImport)).toEqual([]);
  });

  it.each([
    ['reads the environment only in main', /\bprocess\.env\b/, /^src\/main\.ts$/],
    ['ends the process only in main', /\bprocess\.(?:exit|abort)\b/, /^src\/main\.ts$/],
    ['reads the clock only through Clock', /\bDate\.now\(|new Date\(\)/, /^src\/lib\/clock\.ts$/],
    ['takes chance as an argument', /\bMath\.random\(/, /^$/],
    ['writes SQL only in src/db', /\b(?:sql|sql<[^>]*>)`/, /^src\/db\//],
    // `sql.raw` takes text as it is: only for words of our own, where a parameter cannot stand.
    [
      'never puts values into SQL as text [T-T6]',
      /\bsql\.(?:raw|lit)\(|\bquery\([^'"`/]*\+/,
      /^src\/db\/event-history\.ts$/,
    ],
    ['has no default exports', /^export default\b/m, /^$/],
    ['has no enums and no namespaces', /^(?:export )?(?:declare )?(?:const )?(?:enum|namespace) /m, /^$/],
  ])('%s', (_rule, pattern, exempt) => {
    const offenders = sources.filter((path) => !exempt.test(path) && pattern.test(codeOf(path)));
    expect(offenders).toEqual([]);
  });
});

function isAllowed({ from, target, typeOnly }: Import): boolean {
  const part = partOf(from);
  const used = partOf(target);
  if (part === undefined || used === undefined) return false;
  if (part.name === used.name || EVERYBODYS.includes(used.name)) return true;
  return part.imports.includes(used.name) || (typeOnly && (part.types ?? []).includes(used.name));
}

function partOf(path: string): Part | undefined {
  let best: Part | undefined;
  let length = 0;
  for (const part of PARTS) {
    for (const prefix of part.paths) {
      if (path.startsWith(prefix) && prefix.length > length) {
        best = part;
        length = prefix.length;
      }
    }
  }
  return best;
}

/** Static imports and re-exports, and dynamic imports of a literal. */
function importsOf(path: string): readonly Import[] {
  const text = codeOf(path);
  const found: Import[] = [];
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gm)) {
    found.push({ from: path, target: resolve(path, match[2] ?? ''), typeOnly: match[1] !== undefined });
  }
  for (const match of text.matchAll(/^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm)) {
    found.push({ from: path, target: resolve(path, match[1] ?? match[2] ?? ''), typeOnly: false });
  }
  return found;
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith('.')
    ? normalize(join(dirname(from), specifier)).replaceAll('\\', '/')
    : specifier;
}

/** The file without its comments, so that prose about a rule does not break it. */
function codeOf(path: string): string {
  return (texts.get(path) ?? '').replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

function filesImporting(packageName: string): readonly string[] {
  return imports
    .filter(({ target }) => target === packageName || target.startsWith(`${packageName}/`))
    .map(({ from }) => from);
}

function describeImport({ from, target, typeOnly }: Import): string {
  return `${from} ${typeOnly ? 'takes types from' : 'imports'} ${target}`;
}

/** The files of one circle, empty when there is none. */
function findCircle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): readonly string[] => {
    const seenAt = trail.indexOf(file);
    if (seenAt >= 0) return [...trail.slice(seenAt), file];
    if (done.has(file)) return [];
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next, [...trail, file]);
      if (circle.length > 0) return circle;
    }
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const circle = visit(file, []);
    if (circle.length > 0) return circle;
  }
  return [];
}
