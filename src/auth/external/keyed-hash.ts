import { createHmac } from 'node:crypto';
import { deriveKey, type MasterKey } from '../../privacy/master-key.ts';

/** By which an identity is found: 32 bytes, different for every issuer. */
export function subjectHash(
  masterKey: MasterKey,
  { issuer, subject }: { readonly issuer: string; readonly subject: string },
): Buffer {
  return keyedHash(masterKey, 'external subject', issuer, subject);
}

/** By which the sign-ins are found that came of a session elsewhere: 32 bytes. */
export function externalSessionHash(
  masterKey: MasterKey,
  { issuer, sessionId }: { readonly issuer: string; readonly sessionId: string },
): Buffer {
  return keyedHash(masterKey, 'external session', issuer, sessionId);
}

/** An issuer is an address, in which no line break can stand: the two parts cannot be cut otherwise. */
function keyedHash(masterKey: MasterKey, purpose: string, issuer: string, name: string): Buffer {
  return createHmac('sha256', deriveKey(masterKey, purpose)).update(`${issuer}\n${name}`).digest();
}
