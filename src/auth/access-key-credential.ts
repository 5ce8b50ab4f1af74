import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { authenticate, isAccessKey, stillValid } from './access-keys.ts';
import type { CredentialKind } from './credential-kind.ts';

/** The installation's key and overlays' keys. */
export function accessKeyCredential(deps: { readonly db: Kysely<Database> }): CredentialKind {
  return {
    recognises: (credential) => credential.kind === 'BEARER' && isAccessKey(credential.text),
    authenticate: async (credential) =>
      credential.kind === 'BEARER' ? authenticate(deps, credential.text) : null,
    refresh: async (viewers) => {
      const held = new Map(
        viewers.flatMap((viewer) => ('accessKeyId' in viewer ? [[viewer.accessKeyId, viewer] as const] : [])),
      );
      if (held.size === 0) return new Map();
      const valid = await stillValid(deps, [...held.keys()]);
      return new Map([...held].filter(([id]) => valid.has(id)));
    },
  };
}
