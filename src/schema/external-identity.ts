import type { LinkedIdentity } from '../auth/external/link.ts';
import { querySignInProviders, type SignInProvider } from '../resolvers/external-identity.ts';
import { builder } from './builder.ts';
import { PUBLIC, SIGNED_IN } from './scopes.ts';

/** An identity elsewhere that an account is linked with. */
export const ExternalIdentity = builder.objectRef<LinkedIdentity>('ExternalIdentity').implement({
  description:
    'An identity elsewhere that the account can be signed in to with. Who it is there is told to nobody.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `xid_`.' }),
    provider: t.exposeString('provider', {
      nullable: true,
      description:
        'The name of its provider. Null once that is not set up here any more: it opens nothing then.',
    }),
    linkedAt: t.expose('linkedAt', { type: 'DateTime', description: 'When it was linked.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When somebody last signed in with it. Null: not since it was linked.',
    }),
  }),
});

const SignInProviderKindEnum = builder.enumType('SignInProviderKind', {
  description: 'How signing in with a provider begins.',
  values: {
    CLERK: {
      description: "In the page, with Clerk's own scripts; its session token then goes to `clerkSignIn`.",
    },
    OIDC: { description: 'By going to `startPath` with the browser.' },
  } as const,
});

const SignInProviderType = builder.objectRef<SignInProvider>('SignInProvider').implement({
  description: 'A way to sign in besides address and password.',
  authScopes: PUBLIC,
  fields: (t) => ({
    kind: t.expose('kind', { type: SignInProviderKindEnum, description: 'How it begins.' }),
    name: t.exposeString('name', { description: 'For programs: names it in the API.' }),
    title: t.exposeString('title', { description: 'For people.' }),
    opensAccounts: t.exposeBoolean('opensAccounts', {
      description:
        'Whether whom nobody knows here gets an account, if their e-mail address is verified there.',
    }),
    startPath: t.exposeString('startPath', {
      nullable: true,
      description: 'Where a browser begins; `?returnTo=` and a path of ours may follow. Null for CLERK.',
    }),
    publishableKey: t.exposeString('publishableKey', {
      nullable: true,
      description: "What Clerk's scripts begin with; public. Null for OIDC, and when it is not configured.",
    }),
  }),
});

builder.queryField('signInProviders', (t) =>
  t.field({
    type: [SignInProviderType],
    authScopes: PUBLIC,
    description: 'The ways to sign in besides address and password that are set up here; 20 at most.',
    resolve: querySignInProviders,
  }),
);
