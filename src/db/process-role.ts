import type { Logger } from '../lib/logger.ts';
import { connectClient } from './connection-error.ts';
import { sqlState } from './sql-state.ts';

/** The kinds of processes that have a role of their own in PostgreSQL. */
export type ProcessName = 'api' | 'ingest' | 'worker';

/** What the server answers when a role is not there, or is not ours to take: invalid_parameter_value, insufficient_privilege. */
const CANNOT_TAKE: ReadonlySet<string | undefined> = new Set(['22023', '42501']);

/**
 * The connection string with which everybody connects as the login user and at once becomes the role of the process
 * (`tallylight_api`, …). Where that is not possible, the string as it was, and a warning: the work goes on with the login user's rights.
 * @returns `role` is null when it could not be taken.
 * @throws what `connectClient` throws.
 */
export async function takeProcessRole(options: {
  readonly connectionString: string;
  readonly process: ProcessName;
  readonly logger: Logger;
}): Promise<{ readonly connectionString: string; readonly role: string | null }> {
  const { connectionString, logger } = options;
  const role = `tallylight_${options.process}`;
  const limited = withRole(connectionString, role);
  const refusal = await whyNot(limited, role);
  if (refusal === null) return { connectionString: limited, role };
  logger.warn(
    { role, reason: refusal, see: 'docs/operations.md#postgresql-roles' },
    'database.role_not_taken',
  );
  return { connectionString, role: null };
}

/**
 * Gives the roles what the table `process_grant` says, and nothing else. Called by whoever migrates, after all tables were made.
 * @returns false when the login user may not: then the roles keep what they have.
 * @throws what `connectClient` throws.
 */
export async function applyProcessGrants(options: {
  readonly connectionString: string;
  readonly logger: Logger;
}): Promise<boolean> {
  const client = await connectClient({ ...options, applicationName: 'tallylight migrate' });
  try {
    await client.query('/* applyProcessGrants */ select apply_process_grants()');
    return true;
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    options.logger.warn(
      { err: error, see: 'docs/operations.md#postgresql-roles' },
      'database.grants_not_applied',
    );
    return false;
  } finally {
    await client.end();
  }
}

/** Null: with `connectionString` one is the role. */
async function whyNot(connectionString: string, role: string): Promise<string | null> {
  let client: Awaited<ReturnType<typeof connectClient>>;
  try {
    client = await connectClient({ connectionString, applicationName: 'tallylight role' });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && CANNOT_TAKE.has(sqlState(cause))) return cause.message;
    throw error;
  }
  try {
    // A pooler in between may swallow what it does not know.
    const result = await client.query<{ name: string }>('/* selectRole */ select current_user as name');
    return result.rows[0]?.name === role ? null : 'something between us and the server swallowed the role';
  } finally {
    await client.end();
  }
}

/** As text, because pg takes addresses that the URL parser does not; what the operator set stays. */
function withRole(connectionString: string, role: string): string {
  const option = `-c%20role%3D${role}`;
  const given = /[?&]options=[^&#]*/.exec(connectionString)?.[0];
  if (given !== undefined) return connectionString.replace(given, `${given}%20${option}`);
  return `${connectionString}${connectionString.includes('?') ? '&' : '?'}options=${option}`;
}
