import type { Kysely } from 'kysely';
import { notifyAccessChanged } from '../auth/access-topic.ts';
import { lockChannelFor } from '../auth/members/guards.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { EventBus } from '../bus/port.ts';
import {
  type ClientRow,
  deleteClient as deleteClientRow,
  insertClient,
  selectClient,
  selectClientPage,
  updateClientDisabled,
  updateClient as updateClientRow,
} from '../db/client.ts';
import type { Database } from '../db/connect.ts';
import { BadArgumentError } from '../errors/bad-argument.ts';
import { type InputIssue, InvalidInputError } from '../errors/invalid-input.ts';
import type { Clock } from '../lib/clock.ts';
import { type ChannelId, type ClientId, newId, parseId } from '../lib/ids.ts';
import { NAME_CHARACTERS_MAX, parsedName } from '../lib/name.ts';
import { type Page, pageOf } from '../live/page.ts';
import { ClientLimitError, ClientNotFoundError } from './errors.ts';
import { lockManagedClient } from './managed.ts';

/** How many clients a channel may have. */
const CLIENTS_PER_CHANNEL_MAX = 50;
const ORIGINS_MAX = 20;
const COST_PER_MINUTE_MAX = 1_000_000;

interface Deps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
}

/** What can be said of a client. In a change, what is undefined stays. */
export interface ClientSettings {
  readonly name?: string | undefined;
  readonly allowedOrigins?: readonly string[] | undefined;
  readonly costPerMinute?: number | null | undefined;
}

/**
 * Makes a client of a channel.
 * @throws InvalidInputError, ClientLimitError when the channel has 50
 * @throws ChannelNotFoundError, NotPermittedError
 */
export async function createClient(
  { db, clock }: Deps,
  viewer: Viewer,
  request: ClientSettings & { readonly channelId: ChannelId; readonly name: string },
): Promise<ClientRow> {
  const { name = '', allowedOrigins = [], costPerMinute = null } = checked(request);
  const id = newId('client', clock.nowMs());
  const { channelId } = request;
  const createdBy = viewer.kind === 'USER' ? viewer.userId : null;
  const client = { id, channelId, name, createdBy, allowedOrigins, costPerMinute, createdAt: clock.nowMs() };
  const stored = await db.transaction().execute(async (tx) => {
    await lockChannelFor(tx, viewer, { channelId, permission: 'CLIENTS_MANAGE' });
    return insertClient(tx, client, CLIENTS_PER_CHANNEL_MAX);
  });
  if (!stored) throw new ClientLimitError(CLIENTS_PER_CHANNEL_MAX);
  return found(await selectClient(db, id));
}

/**
 * Changes a client. Open connections from an origin that is not allowed any more are cut off.
 * @throws InvalidInputError, ClientNotFoundError
 */
export async function updateClient(
  { db, bus }: Deps,
  viewer: Viewer,
  id: ClientId,
  settings: ClientSettings,
): Promise<ClientRow> {
  const change = checked(settings);
  const client = await db.transaction().execute(async (tx) => {
    await lockManagedClient(tx, viewer, id);
    return found(await updateClientRow(tx, id, change));
  });
  await notifyAccessChanged(bus, null);
  return client;
}

/** Takes a client away with everything it had; its keys open nothing any more. @throws ClientNotFoundError */
export async function deleteClient({ db, bus }: Deps, viewer: Viewer, id: ClientId): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await lockManagedClient(tx, viewer, id);
    await deleteClientRow(tx, id);
  });
  await notifyAccessChanged(bus, null);
}

/** Disables a client, or lets it in again. Its keys open nothing while it is disabled. @throws ClientNotFoundError */
export async function setClientDisabled(
  { db, bus, clock }: Deps,
  id: ClientId,
  disabled: boolean,
): Promise<ClientRow> {
  const client = found(await updateClientDisabled(db, id, disabled ? clock.nowMs() : null));
  await notifyAccessChanged(bus, null);
  return client;
}

/** The client of this id, or undefined. */
export function findClient({ db }: Pick<Deps, 'db'>, id: ClientId): Promise<ClientRow | undefined> {
  return selectClient(db, id);
}

/** A channel's clients, or everybody's (null), in the order they were made. @throws BadArgumentError */
export async function listClients(
  { db }: Pick<Deps, 'db'>,
  request: { readonly channelId: ChannelId | null; readonly first: number; readonly after: string | null },
): Promise<Page<ClientRow>> {
  const afterId = request.after === null ? null : parseId('client', request.after);
  if (afterId === undefined) throw new BadArgumentError('after', 'after is not a cursor of this list.');
  const rows = await selectClientPage(db, { ...request, afterId, limit: request.first + 1 });
  return pageOf(rows, request.first);
}

function found(client: ClientRow | undefined): ClientRow {
  if (client === undefined) throw new ClientNotFoundError();
  return client;
}

/** The settings in the form they are kept in. @throws InvalidInputError listing all that cannot be accepted */
function checked(settings: ClientSettings): ClientSettings {
  const issues: InputIssue[] = [];
  const name = settings.name === undefined ? undefined : parsedName(settings.name);
  if (name === null) {
    const message = `A name has 1 to ${NAME_CHARACTERS_MAX} readable characters on one line.`;
    issues.push({ path: ['name'], code: 'INVALID_FORMAT', message });
  }
  const origins = settings.allowedOrigins;
  if (origins !== undefined && origins.length > ORIGINS_MAX) {
    issues.push({
      path: ['allowedOrigins'],
      code: 'OUT_OF_RANGE',
      message: `At most ${ORIGINS_MAX} origins.`,
    });
  }
  for (const [index, origin] of (origins ?? []).slice(0, ORIGINS_MAX).entries()) {
    if (isOrigin(origin)) continue;
    const message = 'An origin is like https://example.org: scheme, host and port as browsers send them.';
    issues.push({ path: ['allowedOrigins', String(index)], code: 'INVALID_FORMAT', message });
  }
  const cost = settings.costPerMinute;
  if (typeof cost === 'number' && (cost < 1 || cost > COST_PER_MINUTE_MAX)) {
    const message = `A quota is from 1 to ${COST_PER_MINUTE_MAX} points a minute.`;
    issues.push({ path: ['costPerMinute'], code: 'OUT_OF_RANGE', message });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
  return {
    ...settings,
    name: name ?? undefined,
    allowedOrigins: origins === undefined ? undefined : [...new Set(origins)],
  };
}

/** Whether a browser could send the text as an `Origin`: `null`, which every sandboxed page sends, is none. */
function isOrigin(text: string): boolean {
  if (text.length > 300 || !/^https?:\/\//.test(text)) return false;
  try {
    return new URL(text).origin === text;
  } catch {
    return false;
  }
}
