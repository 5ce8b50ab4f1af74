import { mayInChannel, mayOnPlatform } from '../auth/permissions.ts';
import type { ClientScope } from '../auth/viewer.ts';
import {
  type ClientSettings,
  createClient,
  deleteClient,
  findClient,
  setClientDisabled,
  updateClient,
} from '../clients/client.ts';
import { createClientKey, findClientKey, revokeClientKey } from '../clients/client-key.ts';
import {
  ClientKeyLimitError,
  ClientKeyNotFoundError,
  ClientLimitError,
  ClientNotFoundError,
  OperationsRefusedError,
} from '../clients/errors.ts';
import { type ManifestEntry, publishOperations } from '../clients/manifest.ts';
import type { AppContext } from '../context.ts';
import type { ClientRow } from '../db/client.ts';
import type { ClientKeyRow } from '../db/client-key.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { type ClientId, parseId } from '../lib/ids.ts';
import { orRefusal, type Refused } from './refusal.ts';

/** A payload with the client as it is now. */
export interface ClientPayload {
  readonly client: ClientRow;
}
/** A new key and its secret, shown this once. */
export interface ClientKeyCreatePayload extends ClientPayload {
  readonly key: ClientKeyRow;
  readonly secret: string;
}
/** What was published. */
export interface PublishPayload extends ClientPayload {
  readonly version: number;
  readonly operations: readonly { readonly hash: string; readonly name: string }[];
}

interface Settings {
  readonly name?: string | null | undefined;
  readonly allowedOrigins?: readonly string[] | null | undefined;
  readonly costPerMinute?: number | null | undefined;
}

/** A client of a channel whose clients the viewer may manage. @throws ClientNotFoundError */
async function managedClient(text: string, { services, viewer }: AppContext): Promise<ClientId> {
  const id = parseId('client', text);
  const client = id === undefined ? undefined : await findClient(services, id);
  if (client === undefined || !mayInChannel(viewer, client.channelId, 'CLIENTS_MANAGE')) {
    throw new ClientNotFoundError();
  }
  return client.id;
}

async function reload(id: ClientId, { services }: AppContext): Promise<ClientRow> {
  const client = await findClient(services, id);
  if (client === undefined) throw new ClientNotFoundError();
  return client;
}

/** Absent keeps; null clears what may be empty. */
function settingsOf({ name, allowedOrigins, costPerMinute }: Settings): ClientSettings {
  return {
    name: name ?? undefined,
    allowedOrigins: allowedOrigins === null ? [] : allowedOrigins,
    costPerMinute,
  };
}

export function clientCreate(
  _root: unknown,
  { input }: { readonly input: Settings & { readonly channelId: string; readonly name: string } },
  ctx: AppContext,
): Promise<ClientPayload | Refused<ChannelNotFoundError | InvalidInputError | ClientLimitError>> {
  return orRefusal<ClientPayload, ChannelNotFoundError | InvalidInputError | ClientLimitError>(async () => {
    const { viewer, services, loaders } = ctx;
    const channelId = parseId('channel', input.channelId);
    const allowed = channelId !== undefined && mayInChannel(viewer, channelId, 'CLIENTS_MANAGE');
    if (!allowed || (await loaders.channels.load(channelId)) === null) throw new ChannelNotFoundError();
    const settings = { ...settingsOf(input), name: input.name };
    return { client: await createClient(services, viewer, { ...settings, channelId }) };
  }, [ChannelNotFoundError, InvalidInputError, ClientLimitError]);
}

export function clientUpdate(
  _root: unknown,
  { input }: { readonly input: Settings & { readonly clientId: string } },
  ctx: AppContext,
): Promise<ClientPayload | Refused<ClientNotFoundError | InvalidInputError>> {
  return orRefusal<ClientPayload, ClientNotFoundError | InvalidInputError>(async () => {
    const id = await managedClient(input.clientId, ctx);
    return { client: await updateClient(ctx.services, ctx.viewer, id, settingsOf(input)) };
  }, [ClientNotFoundError, InvalidInputError]);
}

export function clientDelete(
  _root: unknown,
  { input }: { readonly input: { readonly clientId: string } },
  ctx: AppContext,
): Promise<{ readonly deletedId: ClientId } | Refused<ClientNotFoundError>> {
  return orRefusal<{ readonly deletedId: ClientId }, ClientNotFoundError>(async () => {
    const id = await managedClient(input.clientId, ctx);
    await deleteClient(ctx.services, ctx.viewer, id);
    return { deletedId: id };
  }, [ClientNotFoundError]);
}

export function clientKeyCreate(
  _root: unknown,
  {
    input,
  }: {
    readonly input: {
      readonly clientId: string;
      readonly scopes: readonly ClientScope[];
      readonly expiresInDays: number;
    };
  },
  ctx: AppContext,
): Promise<ClientKeyCreatePayload | Refused<ClientNotFoundError | InvalidInputError | ClientKeyLimitError>> {
  return orRefusal<
    ClientKeyCreatePayload,
    ClientNotFoundError | InvalidInputError | ClientKeyLimitError
  >(async () => {
    const clientId = await managedClient(input.clientId, ctx);
    const made = await createClientKey(ctx.services, ctx.viewer, { ...input, clientId });
    return { ...made, client: await reload(clientId, ctx) };
  }, [ClientNotFoundError, InvalidInputError, ClientKeyLimitError]);
}

export function clientKeyRevoke(
  _root: unknown,
  { input }: { readonly input: { readonly keyId: string } },
  ctx: AppContext,
): Promise<{ readonly client: ClientRow; readonly key: ClientKeyRow } | Refused<ClientKeyNotFoundError>> {
  return orRefusal<
    { readonly client: ClientRow; readonly key: ClientKeyRow },
    ClientKeyNotFoundError
  >(async () => {
    const id = parseId('clientKey', input.keyId);
    const known = id === undefined ? undefined : await findClientKey(ctx.services, id);
    if (known === undefined || !mayInChannel(ctx.viewer, known.channelId, 'CLIENTS_MANAGE')) {
      throw new ClientKeyNotFoundError();
    }
    const key = await revokeClientKey(ctx.services, ctx.viewer, known.id);
    return { key, client: await reload(key.clientId, ctx) };
  }, [ClientKeyNotFoundError]);
}

export function clientOperationsPublish(
  _root: unknown,
  { input }: { readonly input: { readonly clientId: string; readonly operations: readonly ManifestEntry[] } },
  ctx: AppContext,
): Promise<PublishPayload | Refused<ClientNotFoundError | InvalidInputError | OperationsRefusedError>> {
  return orRefusal<
    PublishPayload,
    ClientNotFoundError | InvalidInputError | OperationsRefusedError
  >(async () => {
    const id = await managedClient(input.clientId, ctx);
    const published = await publishOperations(ctx.services, ctx.viewer, id, input.operations);
    return { ...published, client: await reload(id, ctx) };
  }, [ClientNotFoundError, InvalidInputError, OperationsRefusedError]);
}

export function clientDisable(
  _root: unknown,
  { input }: { readonly input: { readonly clientId: string; readonly disabled: boolean } },
  { services, viewer }: AppContext,
): Promise<ClientPayload | Refused<ClientNotFoundError>> {
  return orRefusal<ClientPayload, ClientNotFoundError>(async () => {
    const id = parseId('client', input.clientId);
    if (id === undefined || !mayOnPlatform(viewer, 'CLIENTS_ADMIN')) throw new ClientNotFoundError();
    return { client: await setClientDisabled(services, id, input.disabled) };
  }, [ClientNotFoundError]);
}
