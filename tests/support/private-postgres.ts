import { randomBytes } from 'node:crypto';
import { appendFile, chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chooseAccount } from '../../src/db/embedded/account.ts';
import { findBinaries } from '../../src/db/embedded/binaries.ts';
import {
  initialiseCluster,
  type PostgresProcess,
  type PostgresSite,
  startPostgres,
} from '../../src/db/embedded/process.ts';
import { createLogger } from '../../src/lib/logger.ts';
import type { Certificate } from './certificates.ts';

/** A PostgreSQL server of one test's own, which may be taken away and given back. */
export interface PrivatePostgres extends AsyncDisposable {
  /** Its maintenance database, as superuser. The same after a restart. */
  readonly url: string;
  /** Makes it crash: no good-byes, nothing written that is not committed. Resolves when it is gone. */
  crash(): Promise<void>;
  /** Ends it in order, or crashed before, and starts it again on the same port and data. */
  restart(): Promise<void>;
}

/** How a server speaks TLS: with its certificate, and with clients that show one of this authority. */
export interface PostgresTls extends Certificate {
  readonly caPath: string;
  /** One line of pg_hba.conf per way to come in. */
  readonly access: readonly string[];
}

/** Makes a server from the embedded binaries, on a free port. Takes about a second. */
export async function startPrivatePostgres(
  options: { readonly tls?: PostgresTls } = {},
): Promise<PrivatePostgres> {
  const account = await chooseAccount();
  const binaries = await findBinaries(account, createLogger('error'));
  const folder = await mkdtemp(path.join(tmpdir(), 'tallylight-private-'));
  const dataDirectory = path.join(folder, 'data');
  const passwordPath = path.join(folder, 'password');
  const password = randomBytes(12).toString('hex');
  await mkdir(dataDirectory, { mode: 0o700 });
  await writeFile(passwordPath, password, { mode: 0o600 });
  if (account !== null) {
    for (const item of [folder, dataDirectory, passwordPath]) await chown(item, account.uid, account.gid);
  }
  const site: PostgresSite = { binaries, account, dataDirectory, logPath: path.join(folder, 'log') };
  await initialiseCluster(site, { name: 'postgres', passwordPath });
  if (options.tls !== undefined) await speakTls(site, options.tls);
  let server: PostgresProcess = await startPostgres(site);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${server.port}/postgres`,
    crash: async () => {
      process.kill(server.pid, 'SIGQUIT');
      await server.exited;
    },
    restart: async () => {
      await server.stop();
      server = await startPostgres(site, server.port);
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function speakTls({ account, dataDirectory }: PostgresSite, tls: PostgresTls): Promise<void> {
  const files = { ssl_cert_file: tls.certPath, ssl_key_file: tls.keyPath, ssl_ca_file: tls.caPath };
  const settings = ['ssl = on'];
  for (const [setting, from] of Object.entries(files)) {
    const to = path.join(dataDirectory, setting);
    await copyFile(from, to);
    await chmod(to, 0o600);
    if (account !== null) await chown(to, account.uid, account.gid);
    settings.push(`${setting} = '${to}'`);
  }
  await appendFile(path.join(dataDirectory, 'postgresql.conf'), `\n${settings.join('\n')}\n`);
  await writeFile(path.join(dataDirectory, 'pg_hba.conf'), `${tls.access.join('\n')}\n`);
}
