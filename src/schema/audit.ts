import type { AuditEntry as AuditEntryRow } from '../audit/entry.ts';
import { queryAuditEntries, staffAccessOpen } from '../resolvers/audit.ts';
import { builder } from './builder.ts';
import { connectionCost, pageArguments } from './connection.ts';
import { ChannelNotFound } from './member-refusals.ts';
import { platform, withStepUp } from './scopes.ts';
import { InvalidInput, resultTypename } from './user-error.ts';

const AUDIT_READ = platform('AUDIT_READ');
const STAFF_ACCESS = platform('STAFF_ACCESS');

const AuditOutcomeEnum = builder.enumType('AuditOutcome', {
  description: 'What became of what somebody did.',
  values: {
    DONE: { description: 'It was done.' },
    REFUSED: { description: 'They were refused; the code says why.' },
    FAILED: { description: 'Something of ours failed.' },
    UNKNOWN: { description: 'The process that did it ended before it could say.' },
  } as const,
});

const AuditActorKindEnum = builder.enumType('AuditActorKind', {
  description: 'What did something.',
  values: {
    ANONYMOUS: { description: 'Somebody unknown.' },
    OPERATOR: { description: "The holder of the installation's key." },
    OVERLAY: { description: 'An overlay.' },
    USER: { description: 'A user.' },
    CLIENT: { description: "An integrator's application." },
    SYSTEM: { description: 'Tallylight itself.' },
  } as const,
});

const AuditEntry = builder.objectRef<AuditEntryRow>('AuditEntry').implement({
  description: 'An entry of the audit log.',
  authScopes: AUDIT_READ,
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `aud_`.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was begun.' }),
    actorKind: t.expose('actorKind', { type: AuditActorKindEnum, description: 'What did it.' }),
    actorId: t.exposeID('actorId', { nullable: true, description: 'Who did it. Null: nobody known.' }),
    role: t.exposeString('role', {
      nullable: true,
      description: 'What they were in the channel, or on the installation. Null: neither.',
    }),
    channelId: t.exposeID('channelId', {
      nullable: true,
      description: 'In which channel. Null: in none.',
    }),
    action: t.exposeString('action', { description: "What: a mutation's name, or what else was done." }),
    target: t.exposeID('target', { nullable: true, description: 'To what. Null: nothing that has an id.' }),
    outcome: t.expose('outcome', { type: AuditOutcomeEnum, description: 'What became of it.' }),
    code: t.exposeString('code', { nullable: true, description: 'Why not. Null: it was done.' }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description: 'In which request. Null: in none.',
    }),
  }),
});

const AuditEntryConnection = builder.connectionObject(
  {
    type: AuditEntry,
    name: 'AuditEntryConnection',
    description: 'A page of the audit log.',
    authScopes: AUDIT_READ,
  },
  { name: 'AuditEntryEdge', description: 'An entry on its page.', authScopes: AUDIT_READ },
);

const AuditFilter = builder.inputType('AuditFilter', {
  description: 'Which entries. Everything named must hold.',
  fields: (t) => ({
    actorId: t.id({ description: 'Done by this user, client or key.' }),
    channelId: t.id({ description: 'Done in this channel.' }),
    action: t.string({ description: 'This was done.' }),
    outcome: t.field({ type: AuditOutcomeEnum, description: 'With this outcome.' }),
    from: t.field({ type: 'DateTime', description: 'Begun at this moment or later.' }),
    to: t.field({ type: 'DateTime', description: 'Begun before this moment.' }),
  }),
});

builder.queryField('auditEntries', (t) =>
  t.field({
    type: AuditEntryConnection,
    authScopes: AUDIT_READ,
    args: { ...pageArguments, filter: t.arg({ type: AuditFilter, description: 'Null or absent: all.' }) },
    complexity: connectionCost,
    description: 'Who did what, the newest first. For administrators.',
    resolve: queryAuditEntries,
  }),
);

const StaffAccessOpenInput = builder.inputType('StaffAccessOpenInput', {
  description: 'Into which channel, and why.',
  fields: (t) => ({
    channelId: t.id({ required: true, description: "The channel's id." }),
    reason: t.string({ required: true, description: 'Why, in 10 to 500 characters. Kept.' }),
  }),
});

const StaffAccessOpenPayload = builder
  .objectRef<{ readonly expiresAt: number }>('StaffAccessOpenPayload')
  .implement({
    description: 'The channel is open to who asked. What personal data they read there is in the audit log.',
    authScopes: STAFF_ACCESS,
    fields: (t) => ({
      expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when.' }),
    }),
  });

const StaffAccessOpenResult = builder.unionType('StaffAccessOpenResult', {
  description: 'What became of `staffAccessOpen`.',
  types: [StaffAccessOpenPayload, ChannelNotFound, InvalidInput],
  resolveType: resultTypename('StaffAccessOpenPayload'),
});

builder.mutationField('staffAccessOpen', (t) =>
  t.field({
    type: StaffAccessOpenResult,
    authScopes: withStepUp(STAFF_ACCESS),
    args: { input: t.arg({ type: StaffAccessOpenInput, required: true, description: 'Where and why.' }) },
    description:
      'Lets staff look into a channel for half an hour, for a reason. Leaves an entry, as does looking.',
    resolve: staffAccessOpen,
  }),
);
