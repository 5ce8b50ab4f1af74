import { readFileSync } from 'node:fs';
import type { RedisTls } from '../bus/redis/connections.ts';
import type { Config } from '../config/config.ts';
import { UsageError } from './exit-code.ts';

/**
 * What the configured files say about TLS to Redis.
 * @throws UsageError naming the file that cannot be read.
 */
export function redisTlsOf({ bus: { tls } }: Config): RedisTls {
  return {
    ...given('ca', tls.caPath, 'TALLYLIGHT_REDIS_CA_FILE'),
    ...given('cert', tls.certPath, 'TALLYLIGHT_REDIS_CERT_FILE'),
    ...given('key', tls.keyPath, 'TALLYLIGHT_REDIS_KEY_FILE'),
  };
}

function given(name: keyof RedisTls, path: string | null, variable: string): RedisTls {
  if (path === null) return {};
  try {
    return { [name]: readFileSync(path, 'utf8') };
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new UsageError(`the file of ${variable}, ${path}, cannot be read (${why}).`, { cause });
  }
}
