import {
  type DonePayload,
  mutationAccountDelete,
  mutationEmailChangeConfirm,
  mutationEmailChangeRequest,
  mutationEmailVerificationResend,
  mutationEmailVerify,
  mutationPasswordChange,
  mutationPasswordReset,
  mutationPasswordResetRequest,
  mutationSignIn,
  mutationSignUp,
  type SignInPayload,
} from '../resolvers/account-mutation.ts';
import {
  EmailTaken,
  InvalidCredentials,
  RateLimited,
  TokenInvalid,
  WeakPassword,
} from './account-refusals.ts';
import { builder } from './builder.ts';
import { LastAdmin, LastOwner } from './member-refusals.ts';
import { PUBLIC, SIGNED_IN, withStepUp } from './scopes.ts';
import { User } from './user.ts';
import { InvalidInput, resultTypename } from './user-error.ts';

/** A payload that tells nothing but that it was done. */
function donePayload(name: string, description: string) {
  return builder.objectRef<DonePayload>(name).implement({
    description,
    authScopes: PUBLIC,
    fields: (t) => ({ done: t.exposeBoolean('done', { description: 'Always true.' }) }),
  });
}

const SignUpInput = builder.inputType('SignUpInput', {
  description: 'Who signs up.',
  fields: (t) => ({
    email: t.string({ required: true, description: 'The address: a code is sent there.' }),
    password: t.string({ required: true, description: '8 characters to 256 bytes, and not easily guessed.' }),
    displayName: t.string({ description: 'How to call them; 80 characters at most.' }),
    setupCode: t.string({
      description: 'Printed by an installation that nobody has signed up to: makes the first administrator.',
    }),
  }),
});
const SignUpResult = builder.unionType('SignUpResult', {
  description: 'What became of `signUp`.',
  types: [
    donePayload(
      'SignUpPayload',
      'Look into your mail. Told alike for an address that has an account already.',
    ),
    InvalidInput,
    EmailTaken,
    WeakPassword,
    TokenInvalid,
    RateLimited,
  ],
  resolveType: resultTypename('SignUpPayload'),
});

const SignInInput = builder.inputType('SignInInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    email: t.string({ required: true, description: 'The address of the account.' }),
    password: t.string({ required: true, description: 'Its password.' }),
  }),
});
/** A payload of signing in, in whatever way. */
export function signInPayload(name: string) {
  return builder.objectRef<SignInPayload>(name).implement({
    description: 'Signed in: the session is in the cookie of the answer.',
    authScopes: PUBLIC,
    fields: (t) => ({
      viewer: t.field({
        type: User,
        authScopes: PUBLIC,
        description: 'Who is signed in now. Its fields can be asked for from the next request on.',
        resolve: ({ viewer }) => viewer,
      }),
      factorOwed: t.exposeBoolean('factorOwed', {
        description: 'Whether a second factor is to be shown, or set up, before anything else.',
      }),
    }),
  });
}
const SignInResult = builder.unionType('SignInResult', {
  description: 'What became of `signIn`.',
  types: [signInPayload('SignInPayload'), InvalidCredentials, RateLimited],
  resolveType: resultTypename('SignInPayload'),
});

const EmailVerifyInput = builder.inputType('EmailVerifyInput', {
  description: 'The code that was sent to the address.',
  fields: (t) => ({ token: t.string({ required: true, description: 'The code. Good once, for 24 hours.' }) }),
});
const EmailVerifyResult = builder.unionType('EmailVerifyResult', {
  description: 'What became of `emailVerify`.',
  types: [donePayload('EmailVerifyPayload', 'The address is verified.'), TokenInvalid],
  resolveType: resultTypename('EmailVerifyPayload'),
});

const EmailVerificationResendInput = builder.inputType('EmailVerificationResendInput', {
  description: 'Nothing to say: the code goes to the address of who is signed in.',
  fields: (t) => ({ again: t.boolean({ required: true, defaultValue: true, description: 'Always true.' }) }),
});
const EmailVerificationResendResult = builder.unionType('EmailVerificationResendResult', {
  description: 'What became of `emailVerificationResend`.',
  types: [
    donePayload(
      'EmailVerificationResendPayload',
      'Sent, unless the address is verified or was written to often.',
    ),
  ],
  resolveType: resultTypename('EmailVerificationResendPayload'),
});

const PasswordResetRequestInput = builder.inputType('PasswordResetRequestInput', {
  description: 'Whose password was forgotten.',
  fields: (t) => ({ email: t.string({ required: true, description: 'The address of the account.' }) }),
});
const PasswordResetRequestResult = builder.unionType('PasswordResetRequestResult', {
  description: 'What became of `passwordResetRequest`.',
  types: [
    donePayload('PasswordResetRequestPayload', 'A code was sent, if there is an account with the address.'),
    RateLimited,
  ],
  resolveType: resultTypename('PasswordResetRequestPayload'),
});

const PasswordResetInput = builder.inputType('PasswordResetInput', {
  description: 'The code from the mail, and the new password.',
  fields: (t) => ({
    token: t.string({ required: true, description: 'The code. Good once, for 30 minutes.' }),
    password: t.string({ required: true, description: '8 characters to 256 bytes, and not easily guessed.' }),
  }),
});
const PasswordResetResult = builder.unionType('PasswordResetResult', {
  description: 'What became of `passwordReset`.',
  types: [
    donePayload(
      'PasswordResetPayload',
      'The password is set, and everybody was signed out. Sign in with it.',
    ),
    TokenInvalid,
    InvalidInput,
    WeakPassword,
    RateLimited,
  ],
  resolveType: resultTypename('PasswordResetPayload'),
});

const PasswordChangeInput = builder.inputType('PasswordChangeInput', {
  description: 'The present password and a new one.',
  fields: (t) => ({
    current: t.string({ description: 'The present one. Absent for accounts without a password.' }),
    password: t.string({ required: true, description: '8 characters to 256 bytes, and not easily guessed.' }),
  }),
});
const PasswordChangeResult = builder.unionType('PasswordChangeResult', {
  description: 'What became of `passwordChange`.',
  types: [
    donePayload('PasswordChangePayload', 'Changed; every other sign-in has ended.'),
    InvalidCredentials,
    InvalidInput,
    WeakPassword,
    RateLimited,
  ],
  resolveType: resultTypename('PasswordChangePayload'),
});

const EmailChangeRequestInput = builder.inputType('EmailChangeRequestInput', {
  description: 'The new address.',
  fields: (t) => ({ email: t.string({ required: true, description: 'A code is sent there.' }) }),
});
const EmailChangeRequestResult = builder.unionType('EmailChangeRequestResult', {
  description: 'What became of `emailChangeRequest`.',
  types: [
    donePayload('EmailChangeRequestPayload', 'A code was sent to the new address; nothing has changed yet.'),
    InvalidInput,
    RateLimited,
  ],
  resolveType: resultTypename('EmailChangeRequestPayload'),
});

const EmailChangeConfirmInput = builder.inputType('EmailChangeConfirmInput', {
  description: 'The code that was sent to the new address.',
  fields: (t) => ({ token: t.string({ required: true, description: 'The code. Good once, for 24 hours.' }) }),
});
const EmailChangeConfirmResult = builder.unionType('EmailChangeConfirmResult', {
  description: 'What became of `emailChangeConfirm`.',
  types: [
    donePayload('EmailChangeConfirmPayload', 'The account has the new address; the old one was told.'),
    TokenInvalid,
    EmailTaken,
  ],
  resolveType: resultTypename('EmailChangeConfirmPayload'),
});

const AccountDeleteInput = builder.inputType('AccountDeleteInput', {
  description: 'What shows that it is meant.',
  fields: (t) => ({
    password: t.string({ description: 'The password. Absent for accounts without one.' }),
  }),
});
const AccountDeleteResult = builder.unionType('AccountDeleteResult', {
  description: 'What became of `accountDelete`.',
  types: [
    donePayload('AccountDeletePayload', 'The account is gone, and with its key all that named its holder.'),
    InvalidCredentials,
    RateLimited,
    LastOwner,
    LastAdmin,
  ],
  resolveType: resultTypename('AccountDeletePayload'),
});

const inputOf = 'What to do it with.';

builder.mutationFields((t) => ({
  signUp: t.field({
    type: SignUpResult,
    authScopes: PUBLIC,
    complexity: 50,
    args: { input: t.arg({ type: SignUpInput, required: true, description: inputOf }) },
    description: 'Makes an account, and sends a code to its address. Signs nobody in.',
    resolve: mutationSignUp,
  }),
  signIn: t.field({
    type: SignInResult,
    authScopes: PUBLIC,
    complexity: 50,
    args: { input: t.arg({ type: SignInInput, required: true, description: inputOf }) },
    description: 'Signs in with address and password. By HTTP only: the session is a cookie.',
    resolve: mutationSignIn,
  }),
  emailVerify: t.field({
    type: EmailVerifyResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: EmailVerifyInput, required: true, description: inputOf }) },
    description: 'Shows that the own address is read, with the code that was sent there.',
    resolve: mutationEmailVerify,
  }),
  emailVerificationResend: t.field({
    type: EmailVerificationResendResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: EmailVerificationResendInput, required: true, description: inputOf }) },
    description: 'Sends the code for the own address again. The earlier one is good for nothing then.',
    resolve: mutationEmailVerificationResend,
  }),
  passwordResetRequest: t.field({
    type: PasswordResetRequestResult,
    authScopes: PUBLIC,
    args: { input: t.arg({ type: PasswordResetRequestInput, required: true, description: inputOf }) },
    description: 'Sends a code for a new password. Answers alike whether or not there is an account.',
    resolve: mutationPasswordResetRequest,
  }),
  passwordReset: t.field({
    type: PasswordResetResult,
    authScopes: PUBLIC,
    complexity: 50,
    args: { input: t.arg({ type: PasswordResetInput, required: true, description: inputOf }) },
    description:
      'Sets a new password with the code from the mail. The device then counts as one that has signed in before.',
    resolve: mutationPasswordReset,
  }),
  passwordChange: t.field({
    type: PasswordChangeResult,
    authScopes: withStepUp(SIGNED_IN),
    complexity: 50,
    args: { input: t.arg({ type: PasswordChangeInput, required: true, description: inputOf }) },
    description: 'Changes the own password. Needs a fresh factor.',
    resolve: mutationPasswordChange,
  }),
  emailChangeRequest: t.field({
    type: EmailChangeRequestResult,
    authScopes: withStepUp(SIGNED_IN),
    args: { input: t.arg({ type: EmailChangeRequestInput, required: true, description: inputOf }) },
    description: 'Asks for another address for the own account. Needs a fresh factor.',
    resolve: mutationEmailChangeRequest,
  }),
  emailChangeConfirm: t.field({
    type: EmailChangeConfirmResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: EmailChangeConfirmInput, required: true, description: inputOf }) },
    description: 'Takes the new address, with the code that was sent there.',
    resolve: mutationEmailChangeConfirm,
  }),
  accountDelete: t.field({
    type: AccountDeleteResult,
    authScopes: withStepUp(SIGNED_IN),
    complexity: 50,
    args: { input: t.arg({ type: AccountDeleteInput, required: true, description: inputOf }) },
    description: 'Deletes the own account, for good. Needs a fresh factor.',
    resolve: mutationAccountDelete,
  }),
}));
