import { createSecretKey } from 'node:crypto';
import type { SubjectId } from './context.ts';
import { type DataKey, open, seal } from './envelope.ts';
import { deriveKey, type MasterKey } from './master-key.ts';
import { NonceSource } from './nonces.ts';

/** Seals what belongs to the installation and to nobody in particular: its private keys. */
export interface InstallationSeal {
  /** `context` names the place, as for people's data. */
  seal(context: string, plaintext: Buffer): Buffer;
  /** @throws SealBrokenError */
  open(context: string, sealed: Buffer): Buffer;
}

/** A seal under a key derived from the master key for this purpose alone. */
export function createInstallationSeal(masterKey: MasterKey, purpose: string): InstallationSeal {
  const key: DataKey = {
    // Only bound into what is sealed: no row of `subject_key` is of this name.
    subjectId: `installation: ${purpose}` as string as SubjectId,
    secret: createSecretKey(deriveKey(masterKey, purpose)),
    nonces: new NonceSource(),
  };
  return {
    seal: (context, plaintext) => seal(key, context, plaintext),
    open: (context, sealed) => open(key, context, sealed),
  };
}
