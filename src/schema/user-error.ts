import type { UserError } from '../errors/errors.ts';
import type { InputIssue, InvalidInputError } from '../errors/invalid-input.ts';
import { memberTypename, type Refused } from '../resolvers/refusal.ts';
import { builder } from './builder.ts';
import { PUBLIC, type SIGNED_IN } from './scopes.ts';

/** What every refusal has, so that clients can show one they do not know. */
export const UserErrorInterface = builder.interfaceRef<Refused>('UserError').implement({
  description: 'Why something was refused. Always select `... on UserError`: more refusals may come.',
  authScopes: PUBLIC,
  fields: (t) => ({
    code: t.string({ description: 'For programs. Stable.', resolve: ({ error }) => error.code }),
    message: t.string({
      description: 'For people: what is wrong and what would be accepted.',
      resolve: ({ error }) => error.message,
    }),
  }),
});

/** A refusal that says no more than its code and sentence, named as its error's class. */
export function refusalType(
  name: string,
  description: string,
  authScopes: typeof PUBLIC | typeof SIGNED_IN = PUBLIC,
) {
  return builder
    .objectRef<Refused<UserError>>(name)
    .implement({ description, authScopes, interfaces: [UserErrorInterface] });
}

/** What a result's member is: a refusal by its error's name, else the payload. */
export function resultTypename(payload: string): (value: object) => string {
  return (value) => memberTypename(value, payload);
}

const InputIssueCodeEnum = builder.enumType('InputIssueCode', {
  description: 'What is wrong with a field of an input.',
  values: {
    INVALID_FORMAT: { description: 'Not in the form it must have.' },
    OUT_OF_RANGE: { description: 'Too small or too large.' },
  } as const,
});

const InputIssueType = builder.objectRef<InputIssue>('InputIssue').implement({
  description: 'A field of an input that cannot be accepted.',
  authScopes: PUBLIC,
  fields: (t) => ({
    path: t.stringList({
      description: 'Where in the input, outermost name first.',
      resolve: ({ path }) => [...path],
    }),
    code: t.expose('code', { type: InputIssueCodeEnum, description: 'For programs.' }),
    message: t.exposeString('message', { description: 'For people: what would be accepted.' }),
  }),
});

export const InvalidInput = builder.objectRef<Refused<InvalidInputError>>('InvalidInputError').implement({
  description: 'The input has fields that cannot be accepted; all of them are listed at once.',
  authScopes: PUBLIC,
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    issues: t.field({
      type: [InputIssueType],
      description: 'What is wrong, field by field.',
      resolve: ({ error }) => error.issues,
    }),
  }),
});
