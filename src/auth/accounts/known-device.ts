import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { deriveKey, type MasterKey } from '../../privacy/master-key.ts';

/** How long a device counts as known after it signed in, in seconds. */
export const KNOWN_DEVICE_SECONDS = 180 * 24 * 60 * 60;
const COOKIE_PATTERN = /^([A-Za-z0-9_-]{16})\.(\d{1,13})\.([A-Za-z0-9_-]{43})$/;

/** The text of a cookie that says: this device has signed in to this account. Made anew at every sign-in. */
export function knownDeviceCookie(
  masterKey: MasterKey,
  { account, nowMs }: { readonly account: Buffer; readonly nowMs: number },
): string {
  const device = randomBytes(12).toString('base64url');
  const until = String(nowMs + KNOWN_DEVICE_SECONDS * 1_000);
  return `${device}.${until}.${proof(masterKey, { account, device, until }).toString('base64url')}`;
}

/** Names the device, when its cookie is ours, for this account and not too old; null for everybody else. */
export function knownDevice(
  masterKey: MasterKey,
  cookie: string | null,
  { account, nowMs }: { readonly account: Buffer; readonly nowMs: number },
): string | null {
  const match = COOKIE_PATTERN.exec(cookie ?? '');
  if (match === null) return null;
  const [, device = '', until = '', mac = ''] = match;
  const expected = proof(masterKey, { account, device, until });
  const given = Buffer.from(mac, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  return Number(until) > nowMs ? device : null;
}

function proof(
  masterKey: MasterKey,
  { account, device, until }: { readonly account: Buffer; readonly device: string; readonly until: string },
): Buffer {
  return createHmac('sha256', deriveKey(masterKey, 'known device'))
    .update(account)
    .update(`${device}.${until}`)
    .digest();
}
