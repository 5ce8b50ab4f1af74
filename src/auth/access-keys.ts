import { timingSafeEqual } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { EventBus } from '../bus/port.ts';
import { replaceAccessKeys, selectAccessKeyByHash, selectValidAccessKeys } from '../db/access-key.ts';
import { lockOverlayKeyVersions, raiseOverlayKeyVersion } from '../db/channel.ts';
import type { Database } from '../db/connect.ts';
import type { Clock } from '../lib/clock.ts';
import { type AccessKeyId, type ChannelId, newId } from '../lib/ids.ts';
import { sha256 } from '../lib/sha256.ts';
import { deriveKey, type MasterKey } from '../privacy/master-key.ts';
import { notifyAccessChanged } from './access-topic.ts';
import type { Operator, OverlayViewer } from './viewer.ts';

/** 256 bits in base64url behind the prefix. Anything else is not looked up. */
const KEY_PATTERN = /^tl[ko]_[A-Za-z0-9_-]{43}$/;

/**
 * The operator's key: `tlk_` and 256 bits in base64url, always the same for a master key, so it can be shown again.
 * It opens everything: treat it like a password.
 */
export function operatorKey(master: MasterKey): string {
  return `tlk_${deriveKey(master, 'access key: owner').toString('base64url')}`;
}

/** The key of a channel's overlays: `tlo_` and 256 bits. Raising `version` makes another one; the old stops working. */
export function overlayKey(master: MasterKey, channelId: ChannelId, version: number): string {
  return `tlo_${deriveKey(master, `access key: overlay of ${channelId}, version ${version}`).toString('base64url')}`;
}

/**
 * Makes the keys derived from this master key the valid ones, and revokes every other (another master key's, an older
 * version's). Idempotent; call it at every start.
 */
export async function ensureAccessKeys(deps: {
  readonly db: Kysely<Database>;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
}): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    const channels = await lockOverlayKeyVersions(tx);
    const keys = channels.map((channel) => ({
      channelId: channel.id as ChannelId | null,
      key: overlayKey(deps.masterKey, channel.id, channel.overlayKeyVersion),
    }));
    keys.push({ channelId: null, key: operatorKey(deps.masterKey) });
    await replaceAccessKeys(
      tx,
      keys.map(({ channelId, key }) => ({
        id: newId('accessKey', deps.clock.nowMs()),
        channelId,
        keyHash: sha256(key),
      })),
    );
  });
}

/** Makes one channel's overlay key of this version the valid one, in the transaction that made or raised it. */
export async function putOverlayKey(
  deps: { readonly masterKey: MasterKey; readonly clock: Clock },
  tx: Transaction<Database>,
  channel: { readonly id: ChannelId; readonly overlayKeyVersion: number },
): Promise<void> {
  const key = overlayKey(deps.masterKey, channel.id, channel.overlayKeyVersion);
  const id = newId('accessKey', deps.clock.nowMs());
  await replaceAccessKeys(tx, [{ id, channelId: channel.id, keyHash: sha256(key) }]);
}

/**
 * Replaces a channel's overlay key. The old one is refused from now on, and whoever is connected with it is cut off
 * within 5 s. False when there is no such channel.
 */
export async function rotateOverlayKey(
  deps: {
    readonly db: Kysely<Database>;
    readonly bus: EventBus;
    readonly masterKey: MasterKey;
    readonly clock: Clock;
  },
  channelId: ChannelId,
): Promise<boolean> {
  const isThere = await deps.db.transaction().execute((tx) => replaceOverlayKey(deps, tx, channelId));
  if (isThere) await notifyAccessChanged(deps.bus, null);
  return isThere;
}

/** The same within a transaction, after whose commit everybody is to be told. */
export async function replaceOverlayKey(
  deps: { readonly masterKey: MasterKey; readonly clock: Clock },
  tx: Transaction<Database>,
  channelId: ChannelId,
): Promise<boolean> {
  const overlayKeyVersion = await raiseOverlayKeyVersion(tx, channelId);
  if (overlayKeyVersion === undefined) return false;
  await putOverlayKey(deps, tx, { id: channelId, overlayKeyVersion });
  return true;
}

/** Whether the text has the form of an access key. */
export function isAccessKey(text: string): boolean {
  return KEY_PATTERN.test(text);
}

/** Who holds this key; null when it opens nothing. */
export async function authenticate(
  deps: { readonly db: Kysely<Database> },
  key: string,
): Promise<Operator | OverlayViewer | null> {
  if (!isAccessKey(key)) return null;
  const hash = sha256(key);
  const row = await selectAccessKeyByHash(deps.db, hash);
  if (row === undefined || !timingSafeEqual(row.keyHash, hash)) return null;
  if (row.channelId === null) return { kind: 'OPERATOR', accessKeyId: row.id };
  return { kind: 'OVERLAY', accessKeyId: row.id, channelId: row.channelId };
}

/** Which of these keys still open something. */
export function stillValid(
  deps: { readonly db: Kysely<Database> },
  ids: readonly AccessKeyId[],
): Promise<ReadonlySet<AccessKeyId>> {
  return selectValidAccessKeys(deps.db, ids);
}
