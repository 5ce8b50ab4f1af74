/**
 * Writes `src/db/tables.ts`, the row types of every table, from a freshly migrated database.
 *
 *   node scripts/generate-tables.ts           regenerate
 *   node scripts/generate-tables.ts --check   exit with 1 when the file no longer says what the migrations say
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { migrate } from '../src/db/migrate.ts';
import { createLogger } from '../src/lib/logger.ts';
import { openTestServer } from '../tests/support/server-search.ts';
import { createEmptyDatabase } from '../tests/support/template.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const TARGET = path.join(ROOT, 'src/db/tables.ts');
/** What kysely-codegen writes for int8. We read it as bigint: see src/db/connect.ts. */
const INT8_AS_TEXT =
  'export type Int8 = ColumnType<string, bigint | number | string, bigint | number | string>;';
const INT8_AS_BIGINT =
  'export type Int8 = ColumnType<bigint, bigint | number | string, bigint | number | string>;';

async function generate(): Promise<string> {
  await using server = await openTestServer();
  await using database = await createEmptyDatabase(server.url);
  await migrate({
    connectionString: database.url,
    directory: path.join(ROOT, 'migrations'),
    logger: createLogger('error'),
  });
  const folder = await mkdtemp(path.join(tmpdir(), 'tallylight-tables-'));
  try {
    const out = path.join(folder, 'tables.ts');
    const cli = path.join(ROOT, 'node_modules/kysely-codegen/dist/cli/bin.js');
    await promisify(execFile)(process.execPath, [
      cli,
      '--dialect=postgres',
      `--url=${database.url}`,
      '--exclude-pattern=schema_migration',
      `--out-file=${out}`,
    ]);
    const text = await readFile(out, 'utf8');
    if (!text.includes(INT8_AS_TEXT))
      throw new Error('kysely-codegen writes int8 in another way than this script expects');
    return text.replace(INT8_AS_TEXT, INT8_AS_BIGINT);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const generated = await generate();
if (!process.argv.includes('--check')) {
  await writeFile(TARGET, generated);
} else if ((await readFile(TARGET, 'utf8').catch(() => '')) !== generated) {
  process.stderr.write(
    'src/db/tables.ts does not match the migrations: run `node scripts/generate-tables.ts`.\n',
  );
  process.exitCode = 1;
}
