import type { UserSession } from '../auth/sessions/session-store.ts';
import type { SignInNotFoundError } from '../auth/tokens/token-errors.ts';
import type { Refused } from '../resolvers/refusal.ts';
import {
  sessionRevoke,
  sessionRevokeOthers,
  signInIsCurrent,
  signOut,
  viewerSessions,
} from '../resolvers/sign-in.ts';
import { builder } from './builder.ts';
import { SIGNED_IN } from './scopes.ts';
import { resultTypename, UserErrorInterface } from './user-error.ts';

const SignIn = builder.objectRef<UserSession>('SignIn').implement({
  description: 'One sign-in of a browser that still lasts. Seen by its user alone.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `sig_`. Opens nothing.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it began.' }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      description: 'When it was last used, to the minute.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When it ends unless it is used before.',
    }),
    absoluteExpiresAt: t.expose('absoluteExpiresAt', {
      type: 'DateTime',
      description: 'When it ends however much it is used.',
    }),
    isCurrent: t.boolean({ description: 'Whether it is the one that asks.', resolve: signInIsCurrent }),
    userAgent: t.exposeString('userAgent', {
      nullable: true,
      description: 'What the browser called itself. Null when it said nothing.',
    }),
    address: t.exposeString('address', {
      nullable: true,
      description: 'The network address it came from. Personal. Null when unknown.',
    }),
    secondFactorAt: t.expose('mfaAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a factor was last shown in it after signing in. Null: never.',
    }),
  }),
});

builder.queryField('viewerSessions', (t) =>
  t.field({
    type: [SignIn],
    authScopes: SIGNED_IN,
    description: 'Where the user is signed in, newest first: 50 at most.',
    resolve: viewerSessions,
  }),
);

const SignInNotFound = builder.objectRef<Refused<SignInNotFoundError>>('SignInNotFoundError').implement({
  description: 'The user has no such sign-in, or not any more.',
  authScopes: SIGNED_IN,
  interfaces: [UserErrorInterface],
});

const SessionRevokeInput = builder.inputType('SessionRevokeInput', {
  description: 'Which sign-in to end.',
  fields: (t) => ({ sessionId: t.id({ required: true, description: "The sign-in's id." }) }),
});

const SessionRevokePayload = builder
  .objectRef<{ readonly sessionId: string }>('SessionRevokePayload')
  .implement({
    description: 'The sign-in has ended; what was open with it is cut off within 5 s.',
    authScopes: SIGNED_IN,
    fields: (t) => ({ sessionId: t.exposeID('sessionId', { description: 'Which one ended.' }) }),
  });

const SessionRevokeResult = builder.unionType('SessionRevokeResult', {
  description: 'What became of `sessionRevoke`.',
  types: [SessionRevokePayload, SignInNotFound],
  resolveType: resultTypename('SessionRevokePayload'),
});

const SessionRevokeOthersInput = builder.inputType('SessionRevokeOthersInput', {
  description: 'What to end besides.',
  fields: (t) => ({
    withTokens: t.boolean({
      description: "Whether to revoke the tokens of the user's programs too. Left out: no.",
    }),
  }),
});

const SessionRevokeOthersPayload = builder
  .objectRef<{ readonly revokedCount: number }>('SessionRevokeOthersPayload')
  .implement({
    description: 'The other sign-ins have ended.',
    authScopes: SIGNED_IN,
    fields: (t) => ({ revokedCount: t.exposeInt('revokedCount', { description: 'How many they were.' }) }),
  });

const SessionRevokeOthersResult = builder.unionType('SessionRevokeOthersResult', {
  description: 'What became of `sessionRevokeOthers`.',
  types: [SessionRevokeOthersPayload],
  resolveType: resultTypename('SessionRevokeOthersPayload'),
});

const SignOutInput = builder.inputType('SignOutInput', {
  description: 'How far to sign out.',
  fields: (t) => ({
    everywhere: t.boolean({
      description:
        "Whether to end all sign-ins and revoke the tokens of the user's programs too. Left out: no.",
    }),
  }),
});

const SignOutPayload = builder.objectRef<{ readonly signedOut: boolean }>('SignOutPayload').implement({
  description: 'What the user came with opens nothing any more, and the cookie is taken away.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    signedOut: t.exposeBoolean('signedOut', { description: 'False when it had ended by itself meanwhile.' }),
  }),
});

const SignOutResult = builder.unionType('SignOutResult', {
  description: 'What became of `signOut`.',
  types: [SignOutPayload],
  resolveType: resultTypename('SignOutPayload'),
});

builder.mutationFields((t) => ({
  sessionRevoke: t.field({
    type: SessionRevokeResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: SessionRevokeInput, required: true, description: 'Which sign-in.' }) },
    description: "Ends one of the user's sign-ins, and the tokens for WebSockets that were made from it.",
    resolve: sessionRevoke,
  }),
  sessionRevokeOthers: t.field({
    type: SessionRevokeOthersResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: SessionRevokeOthersInput, required: true, description: 'What besides.' }) },
    description: "Ends all of the user's sign-ins but the one that asks.",
    resolve: sessionRevokeOthers,
  }),
  signOut: t.field({
    type: SignOutResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: SignOutInput, required: true, description: 'How far.' }) },
    description: 'Ends what the user came with: the sign-in, or the family of the token.',
    resolve: signOut,
  }),
}));
