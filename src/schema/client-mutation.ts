import type {
  ClientKeyLimitError,
  ClientKeyNotFoundError,
  ClientLimitError,
  ClientNotFoundError,
  OperationProblem,
  OperationsRefusedError,
} from '../clients/errors.ts';
import type { ClientRow } from '../db/client.ts';
import type { ClientKeyRow } from '../db/client-key.ts';
import type { ClientId } from '../lib/ids.ts';
import {
  type ClientPayload,
  clientCreate,
  clientDelete,
  clientDisable,
  clientKeyCreate,
  clientKeyRevoke,
  clientOperationsPublish,
  clientUpdate,
  type ClientKeyCreatePayload as KeyCreated,
  type PublishPayload,
} from '../resolvers/client-mutation.ts';
import type { Refused } from '../resolvers/refusal.ts';
import { builder } from './builder.ts';
import { ClientKey, ClientScopeEnum } from './client.ts';
import { ChannelNotFound } from './member-refusals.ts';
import { Client } from './refs.ts';
import { OWNERS, PUBLIC, platform, VIEWER, withStepUp } from './scopes.ts';
import { InvalidInput, resultTypename, UserErrorInterface } from './user-error.ts';

const refusal = { authScopes: PUBLIC, interfaces: [UserErrorInterface] };
const ClientNotFound = builder
  .objectRef<Refused<ClientNotFoundError>>('ClientNotFoundError')
  .implement({ description: 'There is no such client that you may manage.', ...refusal });
const ClientKeyNotFound = builder
  .objectRef<Refused<ClientKeyNotFoundError>>('ClientKeyNotFoundError')
  .implement({ description: 'There is no such key that you may manage.', ...refusal });
const ClientLimit = builder
  .objectRef<Refused<ClientLimitError>>('ClientLimitError')
  .implement({ description: 'The channel has 50 clients already.', ...refusal });
const ClientKeyLimit = builder
  .objectRef<Refused<ClientKeyLimitError>>('ClientKeyLimitError')
  .implement({ description: 'The client has two active keys already.', ...refusal });

const OperationProblemType = builder.objectRef<OperationProblem>('OperationProblem').implement({
  description: 'Why an operation of a manifest cannot be registered.',
  authScopes: PUBLIC,
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'Its place in the list, from 0.' }),
    name: t.exposeString('name', { description: 'Its name, as the manifest says it.' }),
    message: t.exposeString('message', { description: 'For people: what is wrong.' }),
  }),
});
const OperationsRefused = builder
  .objectRef<Refused<OperationsRefusedError>>('OperationsRefusedError')
  .implement({
    description: 'Operations cannot be registered, so nothing was published.',
    ...refusal,
    fields: (t) => ({
      problems: t.field({
        type: [OperationProblemType],
        description: 'All that is wrong, the first hundred.',
        resolve: ({ error }) => error.problems,
      }),
    }),
  });

function clientPayload(name: string, description: string) {
  return builder.objectRef<ClientPayload>(name).implement({
    description,
    authScopes: VIEWER,
    fields: (t) => ({
      client: t.field({ type: Client, description: 'The client.', resolve: ({ client }) => client }),
    }),
  });
}

const ClientCreateInput = builder.inputType('ClientCreateInput', {
  description: 'The application to make.',
  fields: (t) => ({
    channelId: t.id({ required: true, description: 'The channel it belongs to.' }),
    name: t.string({ required: true, description: 'What you call it: 1 to 80 characters.' }),
    allowedOrigins: t.stringList({
      description: 'Origins of pages that may use it, like `https://example.org`; 20 at most. Absent: none.',
    }),
    costPerMinute: t.int({
      description:
        'Points it may spend a minute, over all its keys. Null or absent: what everybody has, which is the most.',
    }),
  }),
});
const ClientUpdateInput = builder.inputType('ClientUpdateInput', {
  description: 'What to change of a client. What is absent stays.',
  fields: (t) => ({
    clientId: t.id({ required: true, description: "The client's id." }),
    name: t.string({ description: 'What you call it: 1 to 80 characters.' }),
    allowedOrigins: t.stringList({ description: 'In place of all it had. Null: none.' }),
    costPerMinute: t.int({
      description:
        'Points it may spend a minute, over all its keys. Null: what everybody has, which is the most.',
    }),
  }),
});
const ClientDeleteInput = builder.inputType('ClientDeleteInput', {
  description: 'Which client to take away.',
  fields: (t) => ({ clientId: t.id({ required: true, description: "The client's id." }) }),
});
const ClientKeyCreateInput = builder.inputType('ClientKeyCreateInput', {
  description: 'The key to make.',
  fields: (t) => ({
    clientId: t.id({ required: true, description: "The client's id." }),
    scopes: t.field({ type: [ClientScopeEnum], required: true, description: 'What it is good for.' }),
    expiresInDays: t.int({
      required: true,
      defaultValue: 90,
      description: 'How long it lives, 1 to 365 days.',
    }),
  }),
});
const ClientKeyRevokeInput = builder.inputType('ClientKeyRevokeInput', {
  description: 'Which key to revoke.',
  fields: (t) => ({ keyId: t.id({ required: true, description: "The key's id." }) }),
});
const ManifestOperationInput = builder.inputType('ManifestOperationInput', {
  description: 'An operation to register. Its id is the sha256 of the document, exactly as it is sent here.',
  fields: (t) => ({
    name: t.string({ required: true, description: "The operation's name, as in its document." }),
    document: t.string({ required: true, description: 'One operation with its fragments.' }),
  }),
});
const ClientOperationsPublishInput = builder.inputType('ClientOperationsPublishInput', {
  description: 'What a client runs from now on.',
  fields: (t) => ({
    clientId: t.id({ required: true, description: "The client's id." }),
    operations: t.field({
      type: [ManifestOperationInput],
      required: true,
      description: 'All of its operations, 1 to 500.',
    }),
  }),
});
const ClientDisableInput = builder.inputType('ClientDisableInput', {
  description: 'Which client to keep out, or let in again.',
  fields: (t) => ({
    clientId: t.id({ required: true, description: "The client's id." }),
    disabled: t.boolean({ required: true, defaultValue: true, description: 'False lets it in again.' }),
  }),
});

const ClientCreateResult = builder.unionType('ClientCreateResult', {
  description: 'What became of `clientCreate`.',
  types: [
    clientPayload('ClientCreatePayload', 'The client is made. It has no key yet.'),
    ChannelNotFound,
    InvalidInput,
    ClientLimit,
  ],
  resolveType: resultTypename('ClientCreatePayload'),
});
const ClientUpdateResult = builder.unionType('ClientUpdateResult', {
  description: 'What became of `clientUpdate`.',
  types: [clientPayload('ClientUpdatePayload', 'The client is changed.'), ClientNotFound, InvalidInput],
  resolveType: resultTypename('ClientUpdatePayload'),
});
const ClientDeletePayload = builder
  .objectRef<{ readonly deletedId: ClientId }>('ClientDeletePayload')
  .implement({
    description: 'The client is gone, with its keys, operations and usage.',
    authScopes: VIEWER,
    fields: (t) => ({ deletedId: t.exposeID('deletedId', { description: 'The id it had.' }) }),
  });
const ClientDeleteResult = builder.unionType('ClientDeleteResult', {
  description: 'What became of `clientDelete`.',
  types: [ClientDeletePayload, ClientNotFound],
  resolveType: resultTypename('ClientDeletePayload'),
});
const ClientKeyCreatePayload = builder.objectRef<KeyCreated>('ClientKeyCreatePayload').implement({
  description: 'The key is made.',
  authScopes: VIEWER,
  fields: (t) => ({
    client: t.field({ type: Client, description: 'The client.', resolve: ({ client }) => client }),
    key: t.field({ type: ClientKey, description: 'The key.', resolve: ({ key }) => key }),
    secret: t.exposeString('secret', {
      description: 'What the client sends: `tlc_…`. Shown this once; only its hash is kept.',
    }),
  }),
});
const ClientKeyCreateResult = builder.unionType('ClientKeyCreateResult', {
  description: 'What became of `clientKeyCreate`.',
  types: [ClientKeyCreatePayload, ClientNotFound, InvalidInput, ClientKeyLimit],
  resolveType: resultTypename('ClientKeyCreatePayload'),
});
const ClientKeyRevokePayload = builder
  .objectRef<{ readonly client: ClientRow; readonly key: ClientKeyRow }>('ClientKeyRevokePayload')
  .implement({
    description: 'The key opens nothing any more. Whoever is connected with it is cut off within 5 s.',
    authScopes: VIEWER,
    fields: (t) => ({
      client: t.field({ type: Client, description: 'The client.', resolve: ({ client }) => client }),
      key: t.field({ type: ClientKey, description: 'The key.', resolve: ({ key }) => key }),
    }),
  });
const ClientKeyRevokeResult = builder.unionType('ClientKeyRevokeResult', {
  description: 'What became of `clientKeyRevoke`.',
  types: [ClientKeyRevokePayload, ClientKeyNotFound],
  resolveType: resultTypename('ClientKeyRevokePayload'),
});
const ClientOperationsPublishPayload = builder
  .objectRef<PublishPayload>('ClientOperationsPublishPayload')
  .implement({
    description: 'The operations are registered; those of the version before run beside them.',
    authScopes: VIEWER,
    fields: (t) => ({
      client: t.field({ type: Client, description: 'The client.', resolve: ({ client }) => client }),
      version: t.exposeInt('version', { description: 'The number of this publication.' }),
      documentIds: t.stringList({
        description: 'What the operations are run by, each once, in the order of the manifest.',
        resolve: ({ operations }) => operations.map(({ hash }) => `sha256:${hash}`),
      }),
    }),
  });
const ClientOperationsPublishResult = builder.unionType('ClientOperationsPublishResult', {
  description: 'What became of `clientOperationsPublish`.',
  types: [ClientOperationsPublishPayload, ClientNotFound, InvalidInput, OperationsRefused],
  resolveType: resultTypename('ClientOperationsPublishPayload'),
});
const ClientDisableResult = builder.unionType('ClientDisableResult', {
  description: 'What became of `clientDisable`.',
  types: [clientPayload('ClientDisablePayload', 'The client is kept out or let in.'), ClientNotFound],
  resolveType: resultTypename('ClientDisablePayload'),
});

builder.mutationFields((t) => ({
  clientCreate: t.field({
    type: ClientCreateResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: ClientCreateInput, required: true, description: 'What to make.' }) },
    description: "Makes an integrator's application. For owners of the channel.",
    resolve: clientCreate,
  }),
  clientUpdate: t.field({
    type: ClientUpdateResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: ClientUpdateInput, required: true, description: 'What to change.' }) },
    description: 'Changes a client. For owners of its channel.',
    resolve: clientUpdate,
  }),
  clientDelete: t.field({
    type: ClientDeleteResult,
    authScopes: withStepUp(OWNERS),
    args: { input: t.arg({ type: ClientDeleteInput, required: true, description: 'Which client.' }) },
    description:
      'Takes a client away with everything it had. For owners of its channel, with a fresh factor.',
    resolve: clientDelete,
  }),
  clientKeyCreate: t.field({
    type: ClientKeyCreateResult,
    authScopes: withStepUp(OWNERS),
    args: { input: t.arg({ type: ClientKeyCreateInput, required: true, description: 'Which key.' }) },
    description: 'Makes a key. For owners of the channel, with a fresh factor.',
    resolve: clientKeyCreate,
  }),
  clientKeyRevoke: t.field({
    type: ClientKeyRevokeResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: ClientKeyRevokeInput, required: true, description: 'Which key.' }) },
    description: 'Revokes a key, everywhere at once. Doing it again changes nothing.',
    resolve: clientKeyRevoke,
  }),
  clientOperationsPublish: t.field({
    type: ClientOperationsPublishResult,
    authScopes: OWNERS,
    args: {
      input: t.arg({ type: ClientOperationsPublishInput, required: true, description: 'Which operations.' }),
    },
    description:
      'Registers what a client runs from now on: all of it, or nothing. For owners of its channel.',
    // Each document is held against the whole schema, which takes a millisecond. More than 500 are not looked at.
    complexity: ({ input }) => ({ field: 10 + 3 * Math.min(500, input.operations.length) }),
    resolve: clientOperationsPublish,
  }),
  clientDisable: t.field({
    type: ClientDisableResult,
    authScopes: platform('CLIENTS_ADMIN'),
    args: { input: t.arg({ type: ClientDisableInput, required: true, description: 'Which client.' }) },
    description: 'Keeps a client out, or lets it in again. For administrators.',
    resolve: clientDisable,
  }),
}));
