import { mayInChannel } from '../auth/permissions.ts';
import { findClient, listClients } from '../clients/client.ts';
import { listClientKeys } from '../clients/client-key.ts';
import { listManifests } from '../clients/manifest.ts';
import { dayOf, listDeprecationUsage, listOperationUsage } from '../clients/usage.ts';
import type { AppContext } from '../context.ts';
import type { ClientRow } from '../db/client.ts';
import type { ClientKeyRow } from '../db/client-key.ts';
import type { ClientManifestRow } from '../db/client-operation.ts';
import type { ChannelId } from '../lib/ids.ts';
import { parseId } from '../lib/ids.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';

/** An operation and how often it ran lately. */
export interface OperationUsage {
  readonly hash: string;
  readonly name: string;
  readonly runs: number;
  readonly lastDay: string | null;
}

/** Something deprecated that a client used lately. */
export interface DeprecationUsage {
  readonly coordinate: string;
  readonly uses: number;
  readonly lastDay: string;
}

/** How far back usage is summed, in days. */
const USAGE_DAYS = 90;

export async function queryClient(
  _root: unknown,
  args: { readonly id: string },
  { services, viewer }: AppContext,
): Promise<ClientRow | null> {
  const id = parseId('client', args.id);
  const client = id === undefined ? undefined : await findClient(services, id);
  return client !== undefined && mayInChannel(viewer, client.channelId, 'CLIENTS_VIEW') ? client : null;
}

export function queryClients(
  _root: unknown,
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<ClientRow>> {
  return clientPage(null, args, ctx);
}

export function channelClients(
  channel: { readonly id: ChannelId },
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<ClientRow>> {
  return clientPage(channel.id, args, ctx);
}

async function clientPage(
  channelId: ChannelId | null,
  args: PageArguments,
  { services }: AppContext,
): Promise<Connection<ClientRow>> {
  const request = pageRequest(args);
  return connectionOf(await listClients(services, { ...request, channelId }), request, ({ id }) => id);
}

export function clientKeys(
  { id }: ClientRow,
  _args: object,
  { services }: AppContext,
): Promise<readonly ClientKeyRow[]> {
  return listClientKeys(services, id);
}

export function clientManifests(
  { id }: ClientRow,
  _args: object,
  { services }: AppContext,
): Promise<readonly ClientManifestRow[]> {
  return listManifests(services, id);
}

export function clientOperationUsage(
  { id }: ClientRow,
  _args: object,
  { services }: AppContext,
): Promise<readonly OperationUsage[]> {
  return listOperationUsage(services, id, dayOf(services.clock.nowMs(), USAGE_DAYS));
}

export function clientDeprecationUsage(
  { id }: ClientRow,
  _args: object,
  { services }: AppContext,
): Promise<readonly DeprecationUsage[]> {
  return listDeprecationUsage(services, id, dayOf(services.clock.nowMs(), USAGE_DAYS));
}
