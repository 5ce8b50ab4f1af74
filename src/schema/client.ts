import { CLIENT_SCOPES } from '../auth/viewer.ts';
import type { ClientKeyRow } from '../db/client-key.ts';
import type { ClientManifestRow } from '../db/client-operation.ts';
import {
  channelClients,
  clientDeprecationUsage,
  clientKeys,
  clientManifests,
  clientOperationUsage,
  type DeprecationUsage,
  type OperationUsage,
  queryClient,
  queryClients,
} from '../resolvers/client.ts';
import { builder } from './builder.ts';
import { connectionCost, pageArguments } from './connection.ts';
import { Channel, Client } from './refs.ts';
import { inChannel, itsChannel, OWNERS, platform, typeInChannel, VIEWER } from './scopes.ts';

const SCOPE_DESCRIPTIONS: Readonly<Record<(typeof CLIENT_SCOPES)[number], string>> = {
  EVENTS_READ: 'What is on air, live. People by their aliases.',
  EVENTS_PII: "People's names, handles, pictures and texts, in what other scopes show.",
  HISTORY_READ: 'Stored events, streams and sessions.',
  ANALYTICS_READ: 'Statistics of streams.',
  RULES_READ: 'Rules.',
  RULES_WRITE: 'Changing rules.',
};

export const ClientScopeEnum = builder.enumType('ClientScope', {
  description: "What an integrator's key may be good for.",
  values: Object.fromEntries(
    CLIENT_SCOPES.map((scope) => [scope, { description: SCOPE_DESCRIPTIONS[scope] }]),
  ) as Record<(typeof CLIENT_SCOPES)[number], { description: string }>, // one entry for each
});

export const ClientKey = builder.objectRef<ClientKeyRow>('ClientKey').implement({
  description:
    "A client's key, without its secret. Two may be active, so that one can take the other's place.",
  authScopes: typeInChannel('CLIENTS_VIEW', itsChannel),
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `ckt_`.' }),
    prefix: t.exposeString('prefix', { description: 'The 8 characters behind `tlc_`, to tell keys apart.' }),
    scopes: t.field({
      type: [ClientScopeEnum],
      description: 'What it is good for.',
      resolve: ({ scopes }) => [...scopes],
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it stops opening anything.' }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked. Null: it was not.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, within a minute. Null: never.',
    }),
  }),
});

const ClientManifest = builder.objectRef<ClientManifestRow>('ClientManifest').implement({
  description: 'A list of operations that a client published. The two newest versions run.',
  authScopes: OWNERS,
  fields: (t) => ({
    version: t.exposeInt('version', { description: 'Counts up from 1.' }),
    operationCount: t.exposeInt('operationCount', {
      description: 'How many operations it lists, up to 500.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was published.' }),
  }),
});

const ClientOperationUsage = builder.objectRef<OperationUsage>('ClientOperationUsage').implement({
  description: 'How often a client ran one of its operations in the last 90 days.',
  authScopes: OWNERS,
  fields: (t) => ({
    documentId: t.string({
      description: 'What it is run by: `sha256:` and the hash of its document.',
      resolve: ({ hash }) => `sha256:${hash}`,
    }),
    name: t.exposeString('name', { description: "The operation's name." }),
    runs: t.expose('runs', {
      type: 'Count',
      description: 'How often it began to run. Counted within seconds.',
    }),
    lastDay: t.exposeString('lastDay', {
      nullable: true,
      description: 'The last day it ran (UTC), as in `2026-11-25`. Null: it did not.',
    }),
  }),
});

const ClientDeprecationUsage = builder.objectRef<DeprecationUsage>('ClientDeprecationUsage').implement({
  description: 'How often a client asked for something deprecated in the last 90 days.',
  authScopes: OWNERS,
  fields: (t) => ({
    coordinate: t.exposeString('coordinate', { description: 'What it is, as in `Type.field`.' }),
    uses: t.expose('uses', { type: 'Count', description: 'How many operations asked for it.' }),
    lastDay: t.exposeString('lastDay', { description: 'The last day (UTC), as in `2026-11-25`.' }),
  }),
});

Client.implement({
  description: "An integrator's application. It runs only operations that it has registered.",
  authScopes: typeInChannel('CLIENTS_VIEW', itsChannel),
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `cli_`.' }),
    name: t.exposeString('name', { description: 'What its owner calls it.' }),
    channel: t.field({
      type: Channel,
      nullable: true,
      description: 'The channel it belongs to. Null when you may not see it.',
      resolve: ({ channelId }, _args, { loaders }) => loaders.channels.load(channelId),
    }),
    allowedOrigins: t.stringList({
      description: 'Pages of these origins may use it. Programs that are no page send no origin.',
      resolve: ({ allowedOrigins }) => [...allowedOrigins],
    }),
    costPerMinute: t.exposeInt('costPerMinute', {
      nullable: true,
      description: 'Points it may spend a minute, over all its keys. Null: what everybody has.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    disabledAt: t.expose('disabledAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when an administrator keeps it out. Null: it is let in.',
    }),
    manifestVersion: t.exposeInt('manifestVersion', {
      description: 'The newest version of its operations. 0: none were published.',
    }),
    keys: t.field({
      type: [ClientKey],
      complexity: { field: 1, multiplier: 1 },
      description: 'Its newest keys, 20 at most, revoked and expired ones too.',
      resolve: clientKeys,
    }),
    manifests: t.field({
      type: [ClientManifest],
      authScopes: inChannel('CLIENTS_MANAGE', itsChannel),
      complexity: 5,
      description: 'What it published, the newest first, 20 at most.',
      resolve: clientManifests,
    }),
    operationUsage: t.field({
      type: [ClientOperationUsage],
      authScopes: inChannel('CLIENTS_MANAGE', itsChannel),
      complexity: 20,
      description: 'Its operations by how often they ran in the last 90 days, 500 at most.',
      resolve: clientOperationUsage,
    }),
    deprecationUsage: t.field({
      type: [ClientDeprecationUsage],
      authScopes: inChannel('CLIENTS_MANAGE', itsChannel),
      complexity: 10,
      description: 'What it used of what is deprecated in the last 90 days, 100 at most.',
      resolve: clientDeprecationUsage,
    }),
  }),
});

const ClientConnection = builder.connectionObject(
  { type: Client, name: 'ClientConnection', description: 'A page of clients.', authScopes: VIEWER },
  { name: 'ClientEdge', description: 'A client on its page.', authScopes: VIEWER },
);

builder.objectField(Channel, 'clients', (t) =>
  t.field({
    type: ClientConnection,
    authScopes: inChannel('CLIENTS_VIEW', ({ id }) => id),
    args: pageArguments,
    complexity: connectionCost,
    description: "Integrators' applications that belong to it, in the order they were made.",
    resolve: channelClients,
  }),
);

builder.queryFields((t) => ({
  client: t.field({
    type: Client,
    nullable: true,
    authScopes: OWNERS,
    args: { id: t.arg.id({ required: true, description: "The client's id." }) },
    description: 'A client by its id. Null when there is none that you may see.',
    resolve: queryClient,
  }),
  clients: t.field({
    type: ClientConnection,
    authScopes: platform('CLIENTS_ADMIN'),
    args: pageArguments,
    complexity: connectionCost,
    description: 'All clients of the installation, in the order they were made.',
    resolve: queryClients,
  }),
}));
