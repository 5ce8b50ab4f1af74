import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A certificate and its private key, as PEM files. */
export interface Certificate {
  readonly certPath: string;
  readonly keyPath: string;
}

/** An authority of the test's own. */
export interface Authority {
  /** Its own certificate: what a client trusts. */
  readonly caPath: string;
  readonly ca: string;
  /** A certificate for a name and for `hosts` (127.0.0.1 and localhost unless given), valid for two days. */
  issue(name: string, hosts?: readonly string[]): Certificate;
}

/** Whether this machine can make certificates; tests that need them skip loudly elsewhere. */
export function hasOpenssl(): boolean {
  const found = spawnSync('openssl', ['version']).status === 0;
  if (!found) process.stderr.write('\n*** NO openssl HERE: TLS IS NOT TESTED ***\n\n');
  return found;
}

/** Makes an authority in `folder`, which is made when it is missing. */
export function createAuthority(folder: string): Authority {
  mkdirSync(folder, { recursive: true });
  const at = (name: string) => path.join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl([
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    '-subj',
    '/CN=Test authority',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
  ]);
  return {
    caPath: at('ca.crt'),
    ca: readFileSync(at('ca.crt'), 'utf8'),
    issue: (name, hosts = ['IP:127.0.0.1', 'DNS:localhost']) => {
      const [certPath, keyPath, requestPath, extensions] = ['crt', 'key', 'csr', 'ext'].map((end) =>
        at(`${name}.${end}`),
      ) as [string, string, string, string];
      writeFileSync(extensions, `subjectAltName=${[`DNS:${name}`, ...hosts].join()}\n`);
      openssl(['req', '-new', ...newKey, '-subj', `/CN=${name}`, '-keyout', keyPath, '-out', requestPath]);
      openssl([
        'x509',
        '-req',
        '-in',
        requestPath,
        '-CA',
        at('ca.crt'),
        '-CAkey',
        at('ca.key'),
        '-CAcreateserial',
        '-days',
        '2',
        '-extfile',
        extensions,
        '-out',
        certPath,
      ]);
      return { certPath, keyPath };
    },
  };
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
