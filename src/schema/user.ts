import type { Account } from '../auth/accounts/account.ts';
import { PLATFORM_ROLES } from '../auth/viewer.ts';
import { userExternalIdentities } from '../resolvers/external-identity.ts';
import { queryViewer } from '../resolvers/user.ts';
import { builder } from './builder.ts';
import { ExternalIdentity } from './external-identity.ts';
import { PUBLIC, SIGNED_IN } from './scopes.ts';

const ROLE_DESCRIPTIONS = {
  USER: 'Nothing on the installation; what they are in channels is told there.',
  ADMIN: 'Administers users, roles, clients and the audit log.',
  COMPLIANCE: 'Reviews businesses and cases of money laundering.',
} as const;

export const PlatformRoleEnum = builder.enumType('PlatformRole', {
  description: 'What somebody is on the whole installation.',
  values: Object.fromEntries(
    PLATFORM_ROLES.map((role) => [role, { description: ROLE_DESCRIPTIONS[role] }]),
  ) as { readonly [Role in (typeof PLATFORM_ROLES)[number]]: { readonly description: string } }, // the roles are the keys
});

/** Somebody who signs in, as they and administrators see them. */
export const User = builder.objectRef<Account>('User').implement({
  description: 'Somebody who signs in here. Seen by themselves, and by administrators.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `usr_`.' }),
    email: t.exposeString('email', { description: 'Their address. Personal.' }),
    emailVerified: t.exposeBoolean('emailVerified', {
      description: 'Whether they have shown that they read it. Channels and invitations ask for it.',
    }),
    displayName: t.exposeString('displayName', {
      nullable: true,
      description: 'The name they gave. Personal. Null when they gave none.',
    }),
    platformRole: t.expose('platformRole', {
      type: PlatformRoleEnum,
      description: 'What they are on the installation.',
    }),
    hasPassword: t.exposeBoolean('hasPassword', {
      description: 'Whether they can sign in with a password.',
    }),
    externalIdentities: t.field({
      type: [ExternalIdentity],
      nullable: true,
      description:
        'What else they can sign in with, oldest first; at most 10. Null for anybody but themselves.',
      resolve: userExternalIdentities,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When they signed up.' }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: User,
    nullable: true,
    authScopes: PUBLIC,
    description: 'Who is signed in. Null for everybody else: keys, and people who are not signed in.',
    resolve: queryViewer,
  }),
);
