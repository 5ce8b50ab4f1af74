import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { operatorKey } from '../../src/auth/access-keys.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { type MasterKey, parseMasterKey } from '../../src/privacy/master-key.ts';
import { waitFor } from './wait.ts';

const READY_MS_MAX = 30_000;
const ANSWER_MS_MAX = 5_000;

/** What one installation is known by: keys, address, folder. Processes started with its `env` belong together. */
export interface Installation extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  readonly masterKey: MasterKey;
  readonly operatorKey: string;
  readonly dataDir: string;
  ready(): Promise<void>;
  /** Asks the API as the owner. Rejects on any GraphQL error. */
  // The answer's type is the caller's business: it wrote the document.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  query(document: string, variables?: object): Promise<any>;
}

/** A fresh installation on a free port, with a data folder of its own that is removed at the end. */
export async function createInstallation(env: Readonly<Record<string, string>> = {}): Promise<Installation> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tallylight-test-'));
  const port = await freePort();
  const masterKeyText = randomBytes(32).toString('base64');
  const masterKey = parseMasterKey(masterKeyText);
  const url = `http://127.0.0.1:${port}`;
  const key = operatorKey(masterKey);
  return {
    env: {
      TALLYLIGHT_DATA_DIR: dataDir,
      TALLYLIGHT_PORT: String(port),
      TALLYLIGHT_MASTER_KEY: masterKeyText,
      TALLYLIGHT_LOG_LEVEL: 'warn',
      ...env,
    },
    url,
    masterKey,
    operatorKey: key,
    dataDir,
    async ready() {
      await waitFor(
        async () => (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })).ok,
        {
          timeoutMs: READY_MS_MAX,
          message: 'the product to be ready',
        },
      );
    },
    async query(query, variables = {}) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      const { data, errors } = await response.json();
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
    async [Symbol.asyncDispose]() {
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
