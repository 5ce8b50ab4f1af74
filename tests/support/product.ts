import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownerKey } from '../../src/auth/access-keys.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { type MasterKey, parseMasterKey } from '../../src/privacy/master-key.ts';
import { waitFor } from './wait.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const READY_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;
const ANSWER_MS_MAX = 5_000;

/** The product as its user runs it: a process of its own, started by its command line. */
export interface Product {
  readonly child: ChildProcess;
  /** Everything it printed so far. */
  readonly output: { stdout: string; stderr: string };
  /** Resolves with the exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Sends `signal` and resolves when the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Runs `tallylight …args` with only this environment (and PATH). */
export function runProduct(args: readonly string[], env: Readonly<Record<string, string>>): Product {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text: Buffer) => {
    output.stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    output.stderr += text.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return {
    child,
    output,
    exited,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      const code = await exited;
      clearTimeout(kill);
      return code;
    },
  };
}

/** What one installation is known by: keys, address, folder. Processes started with its `env` belong together. */
export interface Installation extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  readonly masterKey: MasterKey;
  readonly ownerKey: string;
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
  const key = ownerKey(masterKey);
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
    ownerKey: key,
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
