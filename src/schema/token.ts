import type {
  RefreshTokenInvalidError,
  RefreshTokenRotatedError,
  SessionRequiredError,
  TokenFamilyNotFoundError,
} from '../auth/tokens/token-errors.ts';
import type { TokenFamily as TokenFamilyShape } from '../auth/tokens/token-families.ts';
import type { Refused } from '../resolvers/refusal.ts';
import {
  type AccessTokenPayload,
  accessTokenCreate,
  type TokenPair,
  tokenCreate,
  tokenFamilies,
  tokenFamilyIsCurrent,
  tokenFamilyRevoke,
  tokenRefresh,
} from '../resolvers/token.ts';
import { builder } from './builder.ts';
import { PUBLIC, SIGNED_IN, USER, withStepUp } from './scopes.ts';
import { InvalidInput, resultTypename, UserErrorInterface } from './user-error.ts';

const ACCESS_TOKEN = 'Sent as `Authorization: Bearer`, or as `token` in `connection_init`. A secret.';
const ACCESS_TOKEN_END = 'When it expires: 5 minutes from now at most.';
const REFRESH_TOKEN = 'Good for `tokenRefresh`, once. Shown this once; a secret.';

const TokenFamily = builder.objectRef<TokenFamilyShape>('TokenFamily').implement({
  description: 'The tokens of one program. Seen by its user alone.',
  authScopes: USER,
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `tkf_`. Opens nothing.' }),
    name: t.exposeString('name', { description: 'What its user calls it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      description: 'When its refresh token was last exchanged.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When it ends however much it is used: 30 days after it was made.',
    }),
    isCurrent: t.boolean({
      description: 'Whether the token that asks is one of it.',
      resolve: tokenFamilyIsCurrent,
    }),
  }),
});

builder.queryField('tokenFamilies', (t) =>
  t.field({
    type: [TokenFamily],
    authScopes: USER,
    description: 'Programs that hold tokens of the user, newest first: 50 at most.',
    resolve: tokenFamilies,
  }),
);

const SessionRequired = builder.objectRef<Refused<SessionRequiredError>>('SessionRequiredError').implement({
  description: 'It is done from a sign-in of the browser, not with a token.',
  authScopes: SIGNED_IN,
  interfaces: [UserErrorInterface],
});
const RefreshTokenInvalid = builder
  .objectRef<Refused<RefreshTokenInvalidError>>('RefreshTokenInvalidError')
  .implement({
    description: 'The refresh token is unknown, expired, revoked or was used before; which is not said.',
    authScopes: PUBLIC,
    interfaces: [UserErrorInterface],
  });
const RefreshTokenRotated = builder
  .objectRef<Refused<RefreshTokenRotatedError>>('RefreshTokenRotatedError')
  .implement({
    description:
      'The refresh token was exchanged within the last 10 s: nothing is given, nothing is revoked.',
    authScopes: PUBLIC,
    interfaces: [UserErrorInterface],
  });
const TokenFamilyNotFound = builder
  .objectRef<Refused<TokenFamilyNotFoundError>>('TokenFamilyNotFoundError')
  .implement({
    description: 'The user has no such tokens, or not any more.',
    authScopes: SIGNED_IN,
    interfaces: [UserErrorInterface],
  });

const TokenCreateInput = builder.inputType('TokenCreateInput', {
  description: 'For which program the tokens are.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'What to call it in the list of tokens: 1 to 80 characters.',
    }),
  }),
});
const TokenCreatePayload = builder.objectRef<TokenPair>('TokenCreatePayload').implement({
  description: 'Tokens for one program.',
  authScopes: USER,
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: ACCESS_TOKEN }),
    accessTokenExpiresAt: t.expose('accessTokenExpiresAt', {
      type: 'DateTime',
      description: ACCESS_TOKEN_END,
    }),
    refreshToken: t.exposeString('refreshToken', { description: REFRESH_TOKEN }),
    family: t.expose('family', { type: TokenFamily, description: 'What they belong to.' }),
  }),
});
const TokenCreateResult = builder.unionType('TokenCreateResult', {
  description: 'What became of `tokenCreate`.',
  types: [TokenCreatePayload, SessionRequired, InvalidInput],
  resolveType: resultTypename('TokenCreatePayload'),
});

const AccessTokenCreateInput = builder.inputType('AccessTokenCreateInput', {
  description: 'How long the token is needed.',
  fields: (t) => ({
    lifetimeSeconds: t.int({ description: '10 to 300 seconds. Left out: 300.' }),
  }),
});
const AccessTokenCreatePayload = builder.objectRef<AccessTokenPayload>('AccessTokenCreatePayload').implement({
  description: 'A token that ends with the sign-in it was made from, and after 5 minutes in any case.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: ACCESS_TOKEN }),
    accessTokenExpiresAt: t.expose('accessTokenExpiresAt', {
      type: 'DateTime',
      description: ACCESS_TOKEN_END,
    }),
  }),
});
const AccessTokenCreateResult = builder.unionType('AccessTokenCreateResult', {
  description: 'What became of `accessTokenCreate`.',
  types: [AccessTokenCreatePayload, SessionRequired, InvalidInput],
  resolveType: resultTypename('AccessTokenCreatePayload'),
});

const TokenRefreshInput = builder.inputType('TokenRefreshInput', {
  description: 'Which refresh token to exchange.',
  fields: (t) => ({ refreshToken: t.string({ required: true, description: 'The latest one, `tlr_…`.' }) }),
});
const TokenRefreshPayload = builder.objectRef<TokenPair>('TokenRefreshPayload').implement({
  description: 'The next tokens of the program. The refresh token that was sent is used up.',
  authScopes: PUBLIC,
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: ACCESS_TOKEN }),
    accessTokenExpiresAt: t.expose('accessTokenExpiresAt', {
      type: 'DateTime',
      description: ACCESS_TOKEN_END,
    }),
    refreshToken: t.exposeString('refreshToken', { description: REFRESH_TOKEN }),
  }),
});
const TokenRefreshResult = builder.unionType('TokenRefreshResult', {
  description: 'What became of `tokenRefresh`.',
  types: [TokenRefreshPayload, RefreshTokenInvalid, RefreshTokenRotated],
  resolveType: resultTypename('TokenRefreshPayload'),
});

const TokenFamilyRevokeInput = builder.inputType('TokenFamilyRevokeInput', {
  description: 'Which tokens to revoke.',
  fields: (t) => ({ tokenFamilyId: t.id({ required: true, description: "The family's id." }) }),
});
const TokenFamilyRevokePayload = builder
  .objectRef<{ readonly tokenFamilyId: string }>('TokenFamilyRevokePayload')
  .implement({
    description: 'All tokens of the program are revoked; what was open with them is cut off within 5 s.',
    authScopes: SIGNED_IN,
    fields: (t) => ({
      tokenFamilyId: t.exposeID('tokenFamilyId', { description: 'Which family was revoked.' }),
    }),
  });
const TokenFamilyRevokeResult = builder.unionType('TokenFamilyRevokeResult', {
  description: 'What became of `tokenFamilyRevoke`.',
  types: [TokenFamilyRevokePayload, TokenFamilyNotFound],
  resolveType: resultTypename('TokenFamilyRevokePayload'),
});

builder.mutationFields((t) => ({
  tokenCreate: t.field({
    type: TokenCreateResult,
    authScopes: withStepUp(USER),
    args: { input: t.arg({ type: TokenCreateInput, required: true, description: 'For what.' }) },
    description: 'Makes tokens for a program that acts for the user: they last 30 days.',
    resolve: tokenCreate,
  }),
  accessTokenCreate: t.field({
    type: AccessTokenCreateResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: AccessTokenCreateInput, required: true, description: 'For how long.' }) },
    description: 'Makes a token from the sign-in of the browser, to open a WebSocket with.',
    resolve: accessTokenCreate,
  }),
  tokenRefresh: t.field({
    type: TokenRefreshResult,
    authScopes: PUBLIC,
    args: { input: t.arg({ type: TokenRefreshInput, required: true, description: 'Which token.' }) },
    description:
      'Exchanges a refresh token for the next one and a new access token. One that was exchanged before was copied by ' +
      'somebody: all tokens of the program are revoked then.',
    resolve: tokenRefresh,
  }),
  tokenFamilyRevoke: t.field({
    type: TokenFamilyRevokeResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: TokenFamilyRevokeInput, required: true, description: 'Which tokens.' }) },
    description: "Revokes all tokens of one of the user's programs.",
    resolve: tokenFamilyRevoke,
  }),
}));
