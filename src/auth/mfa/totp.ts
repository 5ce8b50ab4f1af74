import { randomBytes } from 'node:crypto';
import { generateURI, verifySync } from 'otplib';
import { base32 } from '../../lib/base32.ts';

/** As RFC 4226 recommends: 160 bits. */
const SECRET_BYTES = 20;
/** How long a code is the current one, in seconds: what every authenticator app does. */
const PERIOD_SECONDS = 30;
/** Six digits; people type them with spaces. */
const CODE = /^\d{6}$/;
/** What apps show above the code. */
const ISSUER = 'Tallylight';

/** A new secret for an authenticator app. */
export function newTotpSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** The secret as people type it: base32 without padding, upper case. */
export function totpSecretText(secret: Buffer): string {
  return base32(secret).toUpperCase();
}

/** The `otpauth:` URI to show as a QR code. `label` is what the app calls the account. */
export function totpUri(secret: Buffer, label: string): string {
  return generateURI({ issuer: ISSUER, label, secret: totpSecretText(secret) });
}

/**
 * The time step that the code belongs to: the current one, the one before or the one after (RFC 6238 section 5.2: clocks
 * differ). Null when it belongs to none of them.
 */
export function matchTotp(
  secret: Buffer,
  { code, nowMs }: { readonly code: string; readonly nowMs: number },
): number | null {
  const token = code.replaceAll(/\s/g, '');
  if (!CODE.test(token)) return null;
  const result = verifySync({
    secret,
    token,
    period: PERIOD_SECONDS,
    epoch: Math.floor(nowMs / 1000),
    epochTolerance: PERIOD_SECONDS,
  });
  return result.valid && 'timeStep' in result ? result.timeStep : null;
}
