import { startEmbeddedPostgres } from '../db/embedded/postgres.ts';
import type { Command, CommandContext } from './command.ts';
import { makeDataFolder } from './data-folder.ts';
import { EXIT_CODES, type ExitCode } from './exit-code.ts';
import { Parts } from './parts.ts';
import { prepareDatabase } from './prepare-database.ts';

/** `tallylight migrate`: brings the database to this version's schema. */
export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'bring the database to the schema of this version',
  usage: '',
  description:
    'Applies the migrations that the database has not seen, each in its own transaction. Forward only; safe to run twice and\n' +
    'at the same time. `start` does this by itself; `api`, `ingest` and `worker` refuse an older schema.\n' +
    'Works on DATABASE_URL, or on the embedded database when that is unset.',
  positionals: { min: 0, max: 0 },
  options: [],
  choices: [],
  examples: ['tallylight migrate', 'DATABASE_URL=postgres://db.example/tallylight tallylight migrate'],
  logLevel: 'warn',
  run: runMigrate,
};

async function runMigrate({ config, logger, terminal }: CommandContext): Promise<ExitCode> {
  const parts = new Parts(logger);
  if (config.database.url === null) await makeDataFolder(config.dataDir);
  try {
    const connectionString =
      config.database.url?.reveal() ??
      (
        await parts.start(
          { name: 'embedded PostgreSQL' },
          () => startEmbeddedPostgres({ dataDir: config.dataDir, logger }),
          (postgres) => postgres.stop(),
        )
      ).connectionString;
    const { applied } = await prepareDatabase({ connectionString, logger });
    for (const name of applied) terminal.print(`applied ${name}`);
    terminal.print(applied.length === 0 ? 'The database is current.' : `${applied.length} applied.`);
    return EXIT_CODES.OK;
  } finally {
    await parts.stopAll();
  }
}
