import type { WeakPasswordError } from '../auth/passwords/password-errors.ts';
import type { RateLimitedError } from '../limits/errors.ts';
import type { Refused } from '../resolvers/refusal.ts';
import { builder } from './builder.ts';
import { PUBLIC } from './scopes.ts';
import { refusalType, UserErrorInterface } from './user-error.ts';

export const InvalidCredentials = refusalType(
  'InvalidCredentialsError',
  'Address and password do not belong together, or there is no such account. Which of these is not said.',
);
export const TokenInvalid = refusalType(
  'TokenInvalidError',
  'The code was used already, is too old, or was never given out.',
);
export const EmailTaken = refusalType(
  'EmailTakenError',
  'Another account has this address. Told to nobody but who reads the address, or holds the setup code.',
);

export const WeakPassword = builder.objectRef<Refused<WeakPasswordError>>('WeakPasswordError').implement({
  description: 'The password would be guessed too soon.',
  authScopes: PUBLIC,
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    suggestions: t.stringList({
      description: 'What would make it better, in English sentences. May be empty.',
      resolve: ({ error }) => [...error.suggestions],
    }),
  }),
});

export const RateLimited = builder.objectRef<Refused<RateLimitedError>>('RateLimitedError').implement({
  description: 'Too much in too short a time.',
  authScopes: PUBLIC,
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    retryAfterSeconds: t.int({
      description: 'Seconds until the same would be allowed.',
      resolve: ({ error }) => error.retryAfterSeconds,
    }),
  }),
});
