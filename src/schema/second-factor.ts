import type { TooManyFactorAttemptsError } from '../auth/mfa/factor-errors.ts';
import type { Passkey, SecondFactors } from '../auth/mfa/factors.ts';
import type { Refused } from '../resolvers/refusal.ts';
import { querySecondFactors } from '../resolvers/second-factor.ts';
import { builder } from './builder.ts';
import { SIGNED_IN } from './scopes.ts';
import { refusalType, UserErrorInterface } from './user-error.ts';

const PasskeyType = builder.objectRef<Passkey>('Passkey').implement({
  description: 'A passkey of the viewer.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `psk_`.' }),
    name: t.exposeString('name', { description: 'What its user calls it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last shown. Null: not since it was added.',
    }),
  }),
});

/** The viewer's factors. */
export const SecondFactorsType = builder.objectRef<SecondFactors>('SecondFactors').implement({
  description: 'What the viewer can show as a second factor.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    totpSince: t.expose('totpSince', {
      type: 'DateTime',
      nullable: true,
      description: 'When the authenticator app was confirmed. Null: there is none.',
    }),
    passkeys: t.field({
      type: [PasskeyType],
      description: 'The passkeys, oldest first; at most 10.',
      resolve: ({ passkeys }) => [...passkeys],
    }),
    recoveryCodesLeft: t.exposeInt('recoveryCodesLeft', {
      description: 'How many recovery codes are left, of 10.',
    }),
  }),
});

builder.queryField('secondFactors', (t) =>
  t.field({
    type: SecondFactorsType,
    nullable: true,
    authScopes: SIGNED_IN,
    description: "The viewer's second factors. Never null for who may ask.",
    resolve: querySecondFactors,
  }),
);

const refusal = (name: string, description: string) => refusalType(name, description, SIGNED_IN);

/** The refusals of mutations of factors, by what they are. */
export const factorRefusals = {
  browserNeeded: refusal('BrowserNeededError', 'Factors belong to a sign-in in a browser, over HTTP.'),
  notFound: refusal('FactorNotFoundError', 'There is no such factor.'),
  refused: refusal(
    'FactorRefusedError',
    'What was shown is wrong, was used before, has expired, or was made for another place. Not said which.',
  ),
  last: refusal('LastFactorError', 'The role demands a second factor, and this is the last one.'),
  passkeyLimit: refusal('PasskeyLimitError', 'There are as many passkeys as there may be.'),
  passkeysUnavailable: refusal(
    'PasskeysUnavailableError',
    'Passkeys need a domain name, and we are reached by an address.',
  ),
  totpThere: refusal('TotpAlreadyEnrolledError', 'There is an authenticator app already.'),
  tooMany: builder.objectRef<Refused<TooManyFactorAttemptsError>>('TooManyFactorAttemptsError').implement({
    description: 'Five wrong factors within five minutes.',
    authScopes: SIGNED_IN,
    interfaces: [UserErrorInterface],
    fields: (t) => ({
      retryAfterSeconds: t.int({
        description: 'Seconds until another may be tried.',
        resolve: ({ error }) => error.retryAfterSeconds,
      }),
    }),
  }),
} as const;
