import type { ExternalIdentityLimitError } from '../auth/external/errors.ts';
import {
  clerkSignIn,
  externalIdentityLinkClerk,
  externalIdentityLinkStart,
  externalIdentityUnlink,
  type IdentitiesPayload,
} from '../resolvers/external-identity.ts';
import type { Refused } from '../resolvers/refusal.ts';
import { signInPayload } from './account-mutation.ts';
import { RateLimited } from './account-refusals.ts';
import { builder } from './builder.ts';
import { ExternalIdentity } from './external-identity.ts';
import { EmailUnverified } from './member-refusals.ts';
import { PUBLIC, USER, withStepUp } from './scopes.ts';
import { InvalidInput, refusalType, resultTypename, UserErrorInterface } from './user-error.ts';

/** Another way into the account, or one less: by who owes nothing and has shown it lately. */
const CHANGE = withStepUp(USER);

const providerUnknown = refusalType(
  'ExternalProviderUnknownError',
  'Signing in with this provider is not set up here.',
);
const providerUnavailable = refusalType(
  'ExternalProviderUnavailableError',
  'The provider does not answer, or not as it should.',
);
const refused = refusalType(
  'ExternalSignInRefusedError',
  'What was shown is forged, too old, was used before, or is of somebody who may not sign in. Not said which.',
);
const notLinked = refusalType(
  'ExternalIdentityNotLinkedError',
  'No account is linked with the identity, and none is made for it: sign in in another way, then link it.',
);
const emailUnverified = refusalType(
  'ExternalEmailUnverifiedError',
  'The provider does not say that the e-mail address is verified. Told alike whether or not an account has it.',
);
const taken = refusalType('ExternalIdentityTakenError', 'The identity is linked with another account.');
const notFound = refusalType('ExternalIdentityNotFoundError', 'The account is not linked with it.');
const lastWay = refusalType(
  'LastSignInWayError',
  'Nothing would be left to sign in with: no password, and no other identity of a provider that is set up.',
);
const limit = builder.objectRef<Refused<ExternalIdentityLimitError>>('ExternalIdentityLimitError').implement({
  description: 'The account is linked with as many identities as it may be.',
  authScopes: PUBLIC,
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    max: t.int({ description: 'How many it may be.', resolve: ({ error }) => error.max }),
  }),
});

const ClerkSignInInput = builder.inputType('ClerkSignInInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    sessionToken: t.string({
      required: true,
      description: "Clerk's session token, fetched just now (`getToken({ skipCache: true })`). Good once.",
    }),
  }),
});
const ClerkSignInResult = builder.unionType('ClerkSignInResult', {
  description: 'What became of `clerkSignIn`.',
  types: [
    signInPayload('ClerkSignInPayload'),
    providerUnknown,
    refused,
    notLinked,
    emailUnverified,
    providerUnavailable,
    RateLimited,
  ],
  resolveType: resultTypename('ClerkSignInPayload'),
});

function identitiesPayload(name: string, description: string) {
  return builder.objectRef<IdentitiesPayload>(name).implement({
    description,
    authScopes: USER,
    fields: (t) => ({
      externalIdentities: t.field({
        type: [ExternalIdentity],
        description: 'What the account is linked with now, oldest first.',
        resolve: ({ externalIdentities }) => externalIdentities,
      }),
    }),
  });
}

const ExternalIdentityLinkClerkInput = builder.inputType('ExternalIdentityLinkClerkInput', {
  description: 'What to link with.',
  fields: (t) => ({
    sessionToken: t.string({
      required: true,
      description: "Clerk's session token, fetched just now (`getToken({ skipCache: true })`). Good once.",
    }),
  }),
});
const ExternalIdentityLinkClerkResult = builder.unionType('ExternalIdentityLinkClerkResult', {
  description: 'What became of `externalIdentityLinkClerk`.',
  types: [
    identitiesPayload('ExternalIdentityLinkClerkPayload', 'Linked, now or before. A mail says so.'),
    EmailUnverified,
    providerUnknown,
    refused,
    taken,
    limit,
    providerUnavailable,
    RateLimited,
  ],
  resolveType: resultTypename('ExternalIdentityLinkClerkPayload'),
});

const ExternalIdentityLinkStartInput = builder.inputType('ExternalIdentityLinkStartInput', {
  description: 'What to link with.',
  fields: (t) => ({
    provider: t.string({ required: true, description: 'The name of a provider of kind OIDC.' }),
    returnTo: t.string({ required: true, description: 'The path of a page here to come back to.' }),
  }),
});
const ExternalIdentityLinkStartPayload = builder
  .objectRef<{ readonly url: string }>('ExternalIdentityLinkStartPayload')
  .implement({
    description: 'Nothing is linked yet: this very browser has ten minutes to sign in at the provider.',
    authScopes: USER,
    fields: (t) => ({ url: t.exposeString('url', { description: 'Where to go with the browser.' }) }),
  });
const ExternalIdentityLinkStartResult = builder.unionType('ExternalIdentityLinkStartResult', {
  description: 'What became of `externalIdentityLinkStart`.',
  types: [
    ExternalIdentityLinkStartPayload,
    EmailUnverified,
    providerUnknown,
    providerUnavailable,
    InvalidInput,
  ],
  resolveType: resultTypename('ExternalIdentityLinkStartPayload'),
});

const ExternalIdentityUnlinkInput = builder.inputType('ExternalIdentityUnlinkInput', {
  description: 'Which identity to unlink.',
  fields: (t) => ({ externalIdentityId: t.id({ required: true, description: "The identity's id." }) }),
});
const ExternalIdentityUnlinkResult = builder.unionType('ExternalIdentityUnlinkResult', {
  description: 'What became of `externalIdentityUnlink`.',
  types: [
    identitiesPayload(
      'ExternalIdentityUnlinkPayload',
      'Unlinked, and the other sign-ins that came by it have ended. A mail says so.',
    ),
    notFound,
    lastWay,
  ],
  resolveType: resultTypename('ExternalIdentityUnlinkPayload'),
});

builder.mutationFields((t) => ({
  clerkSignIn: t.field({
    type: ClerkSignInResult,
    authScopes: PUBLIC,
    complexity: 50,
    args: { input: t.arg({ type: ClerkSignInInput, required: true, description: 'Who signs in.' }) },
    description: 'Signs in with a session of Clerk. By HTTP only: the session is a cookie. Links nothing.',
    resolve: clerkSignIn,
  }),
  externalIdentityLinkClerk: t.field({
    type: ExternalIdentityLinkClerkResult,
    authScopes: CHANGE,
    complexity: 50,
    args: {
      input: t.arg({
        type: ExternalIdentityLinkClerkInput,
        required: true,
        description: 'What to link with.',
      }),
    },
    description: 'Links the own account with an identity at Clerk. Needs a fresh factor.',
    resolve: externalIdentityLinkClerk,
  }),
  externalIdentityLinkStart: t.field({
    type: ExternalIdentityLinkStartResult,
    authScopes: CHANGE,
    complexity: 50,
    args: {
      input: t.arg({
        type: ExternalIdentityLinkStartInput,
        required: true,
        description: 'What to link with.',
      }),
    },
    description: 'Begins to link the own account with an identity at a provider. Needs a fresh factor.',
    resolve: externalIdentityLinkStart,
  }),
  externalIdentityUnlink: t.field({
    type: ExternalIdentityUnlinkResult,
    authScopes: CHANGE,
    args: {
      input: t.arg({ type: ExternalIdentityUnlinkInput, required: true, description: 'Which identity.' }),
    },
    description: 'Unlinks an identity from the own account. Needs a fresh factor.',
    resolve: externalIdentityUnlink,
  }),
}));
