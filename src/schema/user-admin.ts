import type { UserAccount as UserAccountRow } from '../auth/members/lists.ts';
import { queryUsers } from '../resolvers/team.ts';
import { userDisable, userEnable, userRoleSet } from '../resolvers/user-admin.ts';
import { builder } from './builder.ts';
import { connectionCost, pageArguments } from './connection.ts';
import { EmailUnverified, LastAdmin, NotPermitted, OwnRole, UserNotFound } from './member-refusals.ts';
import { platform, withStepUp } from './scopes.ts';
import { PlatformRoleEnum } from './user.ts';
import { resultTypename } from './user-error.ts';

const USERS_MANAGE = platform('USERS_MANAGE');
const ROLES_MANAGE = platform('ROLES_MANAGE');

const UserAccount = builder.objectRef<UserAccountRow>('UserAccount').implement({
  description: 'A user as administrators see them: no chat, no wallet, no documents.',
  authScopes: USERS_MANAGE,
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `usr_`.' }),
    displayName: t.exposeString('displayName', {
      nullable: true,
      description: 'What they call themselves. Null when they said nothing.',
    }),
    email: t.exposeString('email', {
      nullable: true,
      description: 'Their e-mail address. Null when none is known.',
    }),
    emailVerified: t.exposeBoolean('emailVerified', { description: 'Whether they have shown it is theirs.' }),
    role: t.expose('platformRole', {
      type: PlatformRoleEnum,
      description: 'What they are on the whole installation.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When they signed up.' }),
    disabledAt: t.expose('disabledAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when they are not let in. Null: they are.',
    }),
  }),
});

const UserAccountConnection = builder.connectionObject(
  {
    type: UserAccount,
    name: 'UserAccountConnection',
    description: 'A page of users.',
    authScopes: USERS_MANAGE,
  },
  { name: 'UserAccountEdge', description: 'A user on their page.', authScopes: USERS_MANAGE },
);

const UserFilter = builder.inputType('UserFilter', {
  description: 'Which users. What is absent or null does not matter.',
  fields: (t) => ({
    role: t.field({ type: PlatformRoleEnum, description: 'Only who is this on the installation.' }),
    disabled: t.boolean({ description: 'Only who is not let in; false: only who is.' }),
    email: t.string({ description: 'Only the account with this address, in any case.' }),
  }),
});

builder.queryField('users', (t) =>
  t.field({
    type: UserAccountConnection,
    authScopes: USERS_MANAGE,
    args: { ...pageArguments, filter: t.arg({ type: UserFilter, description: 'Null or absent: all.' }) },
    complexity: connectionCost,
    description: 'All users, in the order in which they came. For administrators.',
    resolve: queryUsers,
  }),
);

/** The payload and the result of a mutation that changes a user. */
function userResult(mutation: string, description: string) {
  const name = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}`;
  const payload = builder.objectRef<{ readonly user: UserAccountRow }>(`${name}Payload`).implement({
    description,
    authScopes: USERS_MANAGE,
    fields: (t) => ({ user: t.expose('user', { type: UserAccount, description: 'The user.' }) }),
  });
  return builder.unionType(`${name}Result`, {
    description: `What became of \`${mutation}\`.`,
    types: [payload, NotPermitted, OwnRole, UserNotFound, LastAdmin, EmailUnverified],
    resolveType: resultTypename(`${name}Payload`),
  });
}

const UserRoleSetResult = userResult('userRoleSet', 'The user has the role, and is signed out everywhere.');
const UserDisableResult = userResult('userDisable', 'The user is cut off, and not let in any more.');
const UserEnableResult = userResult('userEnable', 'The user is let in again.');

const UserRoleSetInput = builder.inputType('UserRoleSetInput', {
  description: 'Who is to be what.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'The user, not yourself.' }),
    role: t.field({ type: PlatformRoleEnum, required: true, description: 'What they are to be.' }),
  }),
});
const UserDisableInput = builder.inputType('UserDisableInput', {
  description: 'Whom to let in no more.',
  fields: (t) => ({ userId: t.id({ required: true, description: 'The user, not yourself.' }) }),
});
const UserEnableInput = builder.inputType('UserEnableInput', {
  description: 'Whom to let in again.',
  fields: (t) => ({ userId: t.id({ required: true, description: 'The user.' }) }),
});

builder.mutationFields((t) => ({
  userRoleSet: t.field({
    type: UserRoleSetResult,
    authScopes: withStepUp(ROLES_MANAGE),
    args: { input: t.arg({ type: UserRoleSetInput, required: true, description: 'Who and what.' }) },
    description:
      'Gives a user another role on the installation and signs them out. For administrators, never for themselves.',
    resolve: userRoleSet,
  }),
  userDisable: t.field({
    type: UserDisableResult,
    authScopes: withStepUp(USERS_MANAGE),
    args: { input: t.arg({ type: UserDisableInput, required: true, description: 'Whom.' }) },
    description: 'Lets a user in no more, and ends what they have open. For administrators.',
    resolve: userDisable,
  }),
  userEnable: t.field({
    type: UserEnableResult,
    authScopes: withStepUp(USERS_MANAGE),
    args: { input: t.arg({ type: UserEnableInput, required: true, description: 'Whom.' }) },
    description: 'Lets a user in again. For administrators.',
    resolve: userEnable,
  }),
}));
