import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { UserError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

/** Where the certificate chain and its private key are, as PEM files. */
export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

/** What the API needs to speak TLS by itself. */
export interface TlsOptions extends TlsFiles {
  /** Calls `act` whenever somebody asks to read the files again, from now on. Returns how to give that up. */
  readonly onReload: (act: () => void) => () => void;
}

/** The certificate and the key cannot be used: a file is missing, or they do not belong together. */
export class TlsFilesError extends UserError {
  override readonly name = 'TlsFilesError';
  readonly code = 'TLS_FILES_INVALID';
}

/**
 * What a server needs to speak TLS 1.3 and nothing older with the pair in the files.
 * @throws TlsFilesError
 */
export async function readTlsPair(files: TlsFiles): Promise<SecureContextOptions> {
  const cert = await readPem(files.certPath, 'TLS_CERT_FILE');
  const key = await readPem(files.keyPath, 'TLS_KEY_FILE');
  const pair: SecureContextOptions = { cert, key, minVersion: 'TLSv1.3' };
  let belongTogether: boolean;
  try {
    belongTogether = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
    // Finds what only OpenSSL's own rules refuse, such as a key that is too short.
    createSecureContext(pair);
  } catch (cause) {
    throw new TlsFilesError(
      'The files of TLS_CERT_FILE and TLS_KEY_FILE are not a certificate and a private key without a passphrase, both as PEM.',
      { cause },
    );
  }
  if (belongTogether) return pair;
  throw new TlsFilesError(
    'The private key of TLS_KEY_FILE is not the one of the certificate in TLS_CERT_FILE.',
  );
}

/**
 * Reads the pair again whenever that is asked for. Connections that are open keep theirs; new ones get the new pair. A pair that cannot be
 * used changes nothing and is logged. Returns how to end it.
 */
export function keepTlsFresh(
  server: Server,
  options: TlsOptions,
  { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
): () => void {
  const reload = async (): Promise<void> => {
    try {
      const pair = await readTlsPair(options);
      server.setSecureContext(pair);
      logger.info('tls.reloaded');
      warnOfEnd(pair, { logger, clock });
    } catch (error) {
      logger.error({ err: error }, 'tls.reload_refused');
    }
  };
  return options.onReload(() => void reload());
}

/** Logs when the certificate has run out: browsers will not come in, and nobody here would see why. */
export function warnOfEnd(
  pair: SecureContextOptions,
  { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
): void {
  const { validTo } = new X509Certificate(String(pair.cert));
  if (Date.parse(validTo) < clock.nowMs()) logger.warn({ validTo }, 'tls.certificate_expired');
}

async function readPem(path: string, variable: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new TlsFilesError(`The file of ${variable}, ${path}, cannot be read (${why}).`, { cause });
  }
}
