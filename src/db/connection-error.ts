import { Client } from 'pg';
import { UserError } from '../errors/errors.ts';

/** How long a single connection attempt may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** DATABASE_URL is not the URL of a PostgreSQL database. */
export class DatabaseUrlError extends UserError {
  override readonly name = 'DatabaseUrlError';
  readonly code = 'DATABASE_URL_INVALID';
}

/** Nothing answered at the database's address. */
export class DatabaseUnreachableError extends UserError {
  override readonly name = 'DatabaseUnreachableError';
  readonly code = 'DATABASE_UNREACHABLE';
}

/** PostgreSQL refused the user or the password. */
export class DatabaseAuthenticationError extends UserError {
  override readonly name = 'DatabaseAuthenticationError';
  readonly code = 'DATABASE_AUTHENTICATION';
}

/** The server cannot prove who it is, or does not speak TLS, and the database URL asks for both. */
export class DatabaseTlsError extends UserError {
  override readonly name = 'DatabaseTlsError';
  readonly code = 'DATABASE_TLS';
}

/** The server is there, the database is not. */
export class DatabaseMissingError extends UserError {
  override readonly name = 'DatabaseMissingError';
  readonly code = 'DATABASE_MISSING';
}

/**
 * One connection outside the pool, for work at start-up. The caller calls `end()`.
 * @throws DatabaseUrlError, DatabaseUnreachableError, DatabaseTlsError, DatabaseAuthenticationError or DatabaseMissingError: one
 *   sentence each that names host, port, user and database, and never the password.
 */
export async function connectClient(options: {
  readonly connectionString: string;
  readonly applicationName: string;
}): Promise<Client> {
  const client = createClient(options);
  // A connection that breaks later fails the statement under way; without a listener it would end the process too.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw connectionError(error, client);
  }
}

function createClient(options: {
  readonly connectionString: string;
  readonly applicationName: string;
}): Client {
  if (!/^(postgres(ql)?|socket):/.test(options.connectionString)) throw urlError();
  try {
    return new Client({
      connectionString: options.connectionString,
      application_name: options.applicationName,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
  } catch (cause) {
    const path = cause instanceof Error && 'path' in cause ? String(cause.path) : null;
    if (path === null) throw urlError(cause);
    throw new DatabaseUrlError(
      `The file ${path}, which the database URL names (sslrootcert, sslcert or sslkey), cannot be read (${reason(cause)}).`,
      { cause },
    );
  }
}

function urlError(cause?: unknown): DatabaseUrlError {
  return new DatabaseUrlError(
    'The database URL is not valid: it must look like postgres://user:password@host:5432/database.',
    { cause },
  );
}

/** What the driver said, as the failure it means to the operator. */
function connectionError(error: unknown, client: Client): UserError {
  const { host, port, user, database } = client;
  const where = host.startsWith('/') ? `the socket in ${host}` : `${host}:${port}`;
  const options = { cause: error };
  const distrust = tlsReason(error);
  if (distrust !== null) {
    return new DatabaseTlsError(
      `PostgreSQL at ${where} is not to be trusted as the database URL asks (${distrust}): check sslmode and sslrootcert, and the server's certificate.`,
      options,
    );
  }
  switch (errorCode(error)) {
    case '28P01': // invalid_password
    case '28000': // invalid_authorization_specification
      return new DatabaseAuthenticationError(
        `PostgreSQL at ${where} refused to let in the user "${user}": check the user name and password of the database URL.`,
        options,
      );
    case '3D000': // invalid_catalog_name
      return new DatabaseMissingError(
        `PostgreSQL at ${where} has no database "${database}": create it, or correct the database URL.`,
        options,
      );
    default:
      return new DatabaseUnreachableError(
        `PostgreSQL at ${where} cannot be reached (${reason(error)}): check that it runs and that the database URL is right.`,
        options,
      );
  }
}

/** What is wrong with the server's TLS, in the words of Node or of pg; null when that is not what is wrong. */
function tlsReason(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = errorCode(error) ?? '';
  const certificate = /CERT|SIGNATURE|ISSUER|^ERR_(TLS|SSL)/.test(code);
  return certificate || error.message.includes('SSL conn') ? error.message : null;
}

function reason(error: unknown): string {
  const code = errorCode(error);
  if (code === '53300') return 'it has no connection left';
  if (code === '57P03') return 'it is starting up or shutting down';
  if (code !== undefined) return code;
  // pg gives its own refusals (time-out, password missing, no SSL) no code; their texts hold no secret.
  return error instanceof Error ? error.message : 'unknown reason';
}

/** The SQLSTATE or system error code an error carries; of several attempts (IPv6, IPv4), the first's. */
function errorCode(error: unknown): string | undefined {
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
