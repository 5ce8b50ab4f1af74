import type { SecondFactors } from '../auth/mfa/factors.ts';
import type { FACTOR_KINDS, FactorChallenge } from '../auth/mfa/verification.ts';
import {
  type EnrolledPayload,
  mfaChallengeBegin,
  mfaVerify,
  passkeyRegisterBegin,
  passkeyRegisterConfirm,
  passkeyRemove,
  passkeyRename,
  recoveryCodesRegenerate,
  totpBegin,
  totpConfirm,
  totpRemove,
} from '../resolvers/second-factor.ts';
import { builder } from './builder.ts';
import { SIGNED_IN, USER, withStepUp } from './scopes.ts';
import { factorRefusals, SecondFactorsType } from './second-factor.ts';
import { InvalidInput, resultTypename } from './user-error.ts';

/** Enrolling: also by who owes a factor and has none, while the sign-in is fresh. */
const ENROL = withStepUp(SIGNED_IN);
/** Taking away what protects the account. */
const TAKE_AWAY = withStepUp(USER);

const { browserNeeded, notFound, refused, last, passkeyLimit, passkeysUnavailable, totpThere, tooMany } =
  factorRefusals;

const RECOVERY_CODES = 'Ten codes, each good once instead of a factor. Shown this once: keep them safe.';

const TotpBeginPayload = builder
  .objectRef<{ readonly secret: string; readonly uri: string }>('TotpBeginPayload')
  .implement({
    description: 'An authenticator app to be confirmed by one of its codes.',
    authScopes: SIGNED_IN,
    fields: (t) => ({
      secret: t.exposeString('secret', { description: 'For typing in: base32. Shown this once.' }),
      uri: t.exposeString('uri', { description: 'For a QR code: `otpauth:`. Shown this once.' }),
    }),
  });

const enrolPayload = (name: string) =>
  builder.objectRef<EnrolledPayload>(name).implement({
    description: 'The factor counts, and this sign-in has shown it; it goes on under a new cookie.',
    authScopes: SIGNED_IN,
    fields: (t) => ({
      factors: t.expose('factors', { type: SecondFactorsType, description: 'What there is now.' }),
      recoveryCodes: t.stringList({
        nullable: true,
        description: `${RECOVERY_CODES} Null when it was not the first factor: the earlier ones stay.`,
        resolve: ({ recoveryCodes }) => (recoveryCodes === null ? null : [...recoveryCodes]),
      }),
    }),
  });

const changePayload = (name: string) =>
  builder.objectRef<{ readonly factors: SecondFactors }>(name).implement({
    description: 'The factors were changed.',
    authScopes: SIGNED_IN,
    fields: (t) => ({
      factors: t.expose('factors', { type: SecondFactorsType, description: 'What there is now.' }),
    }),
  });

const RecoveryCodesPayload = builder
  .objectRef<{ readonly recoveryCodes: readonly string[] }>('RecoveryCodesRegeneratePayload')
  .implement({
    description: 'The earlier codes stopped working.',
    authScopes: SIGNED_IN,
    fields: (t) => ({
      recoveryCodes: t.stringList({
        description: RECOVERY_CODES,
        resolve: ({ recoveryCodes }) => [...recoveryCodes],
      }),
    }),
  });

const PasskeyRegisterBeginPayload = builder
  .objectRef<{ readonly optionsJson: string }>('PasskeyRegisterBeginPayload')
  .implement({
    description: 'A challenge for a new passkey, to be answered within five minutes in this sign-in.',
    authScopes: SIGNED_IN,
    fields: (t) => ({
      optionsJson: t.exposeString('optionsJson', {
        description: 'For `PublicKeyCredential.parseCreationOptionsFromJSON`.',
      }),
    }),
  });

const FactorKindEnum = builder.enumType('FactorKind', {
  description: 'What can be shown to `mfaVerify`.',
  values: {
    CODE: { description: "The authenticator app's code." },
    RECOVERY_CODE: { description: 'A recovery code.' },
    PASSKEY: { description: 'A passkey.' },
    PASSWORD: { description: 'The password: only for who has no factor.' },
  } satisfies Record<(typeof FACTOR_KINDS)[number], { description: string }>,
});

const MfaChallengeBeginPayload = builder.objectRef<FactorChallenge>('MfaChallengeBeginPayload').implement({
  description: 'What may be shown to `mfaVerify`, with a challenge for passkeys.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    kinds: t.field({
      type: [FactorKindEnum],
      description: 'What may be shown.',
      resolve: ({ kinds }) => [...kinds],
    }),
    passkeyOptions: t.exposeString('passkeyOptions', {
      nullable: true,
      description:
        'For `PublicKeyCredential.parseRequestOptionsFromJSON`, good for five minutes. Null: no passkey can be shown here.',
    }),
  }),
});

const MfaVerifyPayload = builder.objectRef<{ readonly freshUntil: number }>('MfaVerifyPayload').implement({
  description: 'The sign-in owes nothing more and goes on under a new cookie.',
  authScopes: SIGNED_IN,
  fields: (t) => ({
    freshUntil: t.expose('freshUntil', {
      type: 'DateTime',
      description: 'Until when it may do what is dangerous without showing a factor again.',
    }),
  }),
});

const base64url = { required: true as const };
const PasskeyAttestationInput = builder.inputType('PasskeyAttestationInput', {
  description: 'What `navigator.credentials.create` gave: parts of its `toJSON()`, in base64url.',
  fields: (t) => ({
    credentialId: t.string({ ...base64url, description: '`id`.' }),
    clientDataJson: t.string({ ...base64url, description: '`response.clientDataJSON`.' }),
    attestationObject: t.string({ ...base64url, description: '`response.attestationObject`.' }),
    transports: t.stringList({ ...base64url, description: '`response.transports`, or an empty list.' }),
  }),
});
const PasskeyAssertionInput = builder.inputType('PasskeyAssertionInput', {
  description: 'What `navigator.credentials.get` gave: parts of its `toJSON()`, in base64url.',
  fields: (t) => ({
    credentialId: t.string({ ...base64url, description: '`id`.' }),
    clientDataJson: t.string({ ...base64url, description: '`response.clientDataJSON`.' }),
    authenticatorData: t.string({ ...base64url, description: '`response.authenticatorData`.' }),
    signature: t.string({ ...base64url, description: '`response.signature`.' }),
  }),
});
const TotpConfirmInput = builder.inputType('TotpConfirmInput', {
  description: 'A first code.',
  fields: (t) => ({ code: t.string({ required: true, description: 'Six digits from the app.' }) }),
});
const PasskeyRegisterConfirmInput = builder.inputType('PasskeyRegisterConfirmInput', {
  description: 'A new passkey.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What to call it: 1 to 64 characters.' }),
    attestation: t.field({
      type: PasskeyAttestationInput,
      required: true,
      description: 'What the authenticator made.',
    }),
  }),
});
const PasskeyRenameInput = builder.inputType('PasskeyRenameInput', {
  description: 'Which passkey to call what.',
  fields: (t) => ({
    passkeyId: t.id({ required: true, description: "The passkey's id." }),
    name: t.string({ required: true, description: 'What to call it: 1 to 64 characters.' }),
  }),
});
const PasskeyRemoveInput = builder.inputType('PasskeyRemoveInput', {
  description: 'Which passkey to remove.',
  fields: (t) => ({ passkeyId: t.id({ required: true, description: "The passkey's id." }) }),
});
const MfaVerifyInput = builder.inputType('MfaVerifyInput', {
  description: 'One of the things that can be shown. @see `mfaChallengeBegin`',
  isOneOf: true,
  fields: (t) => ({
    code: t.string({ description: "The authenticator app's six digits." }),
    recoveryCode: t.string({ description: 'A recovery code; it is used up.' }),
    passkey: t.field({ type: PasskeyAssertionInput, description: 'What a passkey signed.' }),
    password: t.string({ description: 'The password: only for who has no factor.' }),
  }),
});

const TotpBeginResult = builder.unionType('TotpBeginResult', {
  description: 'What became of `totpBegin`.',
  types: [TotpBeginPayload, browserNeeded, totpThere],
  resolveType: resultTypename('TotpBeginPayload'),
});
const enrolResult = (mutation: string) =>
  builder.unionType(`${mutation}Result`, {
    description: 'What became of adding a factor.',
    types: [
      enrolPayload(`${mutation}Payload`),
      browserNeeded,
      InvalidInput,
      notFound,
      refused,
      tooMany,
      totpThere,
      passkeyLimit,
      passkeysUnavailable,
    ],
    resolveType: resultTypename(`${mutation}Payload`),
  });
const changeResult = (mutation: string) =>
  builder.unionType(`${mutation}Result`, {
    description: 'What became of changing or removing a factor.',
    types: [changePayload(`${mutation}Payload`), InvalidInput, notFound, last],
    resolveType: resultTypename(`${mutation}Payload`),
  });
/** For what needs to be told nothing: every mutation has an input, and GraphQL knows no empty ones. */
const emptyInput = (mutation: string) =>
  builder.inputType(`${mutation}Input`, {
    description: 'Nothing needs to be told.',
    fields: (t) => ({ clientMutationId: t.string({ description: 'For the client; ignored.' }) }),
  });
const EMPTY_INPUT = { required: true, description: 'May be empty: `{}`.' } as const;

const RecoveryCodesResult = builder.unionType('RecoveryCodesRegenerateResult', {
  description: 'What became of `recoveryCodesRegenerate`.',
  types: [RecoveryCodesPayload, notFound],
  resolveType: resultTypename('RecoveryCodesRegeneratePayload'),
});
const PasskeyRegisterBeginResult = builder.unionType('PasskeyRegisterBeginResult', {
  description: 'What became of `passkeyRegisterBegin`.',
  types: [PasskeyRegisterBeginPayload, browserNeeded, passkeyLimit, passkeysUnavailable],
  resolveType: resultTypename('PasskeyRegisterBeginPayload'),
});
const MfaChallengeBeginResult = builder.unionType('MfaChallengeBeginResult', {
  description: 'What became of `mfaChallengeBegin`.',
  types: [MfaChallengeBeginPayload, browserNeeded],
  resolveType: resultTypename('MfaChallengeBeginPayload'),
});
const MfaVerifyResult = builder.unionType('MfaVerifyResult', {
  description: 'What became of `mfaVerify`.',
  types: [MfaVerifyPayload, browserNeeded, refused, tooMany, passkeysUnavailable],
  resolveType: resultTypename('MfaVerifyPayload'),
});

builder.mutationFields((t) => ({
  totpBegin: t.field({
    type: TotpBeginResult,
    authScopes: ENROL,
    args: { input: t.arg({ ...EMPTY_INPUT, type: emptyInput('TotpBegin') }) },
    description: 'Begins to add an authenticator app. Asked again, the former secret is forgotten.',
    resolve: totpBegin,
  }),
  totpConfirm: t.field({
    type: enrolResult('TotpConfirm'),
    authScopes: ENROL,
    args: { input: t.arg({ type: TotpConfirmInput, required: true, description: 'A first code.' }) },
    description:
      'Adds the authenticator app. With the first factor all other sign-ins of the user end, and recovery codes are made.',
    resolve: totpConfirm,
  }),
  totpRemove: t.field({
    type: changeResult('TotpRemove'),
    authScopes: TAKE_AWAY,
    args: { input: t.arg({ ...EMPTY_INPUT, type: emptyInput('TotpRemove') }) },
    description: 'Removes the authenticator app. With the last factor go the recovery codes.',
    resolve: totpRemove,
  }),
  recoveryCodesRegenerate: t.field({
    type: RecoveryCodesResult,
    authScopes: TAKE_AWAY,
    args: { input: t.arg({ ...EMPTY_INPUT, type: emptyInput('RecoveryCodesRegenerate') }) },
    description: 'Makes ten new recovery codes; the earlier ones stop working.',
    resolve: recoveryCodesRegenerate,
  }),
  passkeyRegisterBegin: t.field({
    type: PasskeyRegisterBeginResult,
    authScopes: ENROL,
    args: { input: t.arg({ ...EMPTY_INPUT, type: emptyInput('PasskeyRegisterBegin') }) },
    description: 'Begins to add a passkey.',
    resolve: passkeyRegisterBegin,
  }),
  passkeyRegisterConfirm: t.field({
    type: enrolResult('PasskeyRegisterConfirm'),
    authScopes: ENROL,
    args: {
      input: t.arg({ type: PasskeyRegisterConfirmInput, required: true, description: 'The new passkey.' }),
    },
    description:
      'Adds a passkey. With the first factor all other sign-ins of the user end, and recovery codes are made.',
    resolve: passkeyRegisterConfirm,
  }),
  passkeyRename: t.field({
    type: changeResult('PasskeyRename'),
    authScopes: USER,
    args: { input: t.arg({ type: PasskeyRenameInput, required: true, description: 'Which, and what.' }) },
    description: 'Gives a passkey another name.',
    resolve: passkeyRename,
  }),
  passkeyRemove: t.field({
    type: changeResult('PasskeyRemove'),
    authScopes: TAKE_AWAY,
    args: { input: t.arg({ type: PasskeyRemoveInput, required: true, description: 'Which passkey.' }) },
    description: 'Removes a passkey. With the last factor go the recovery codes.',
    resolve: passkeyRemove,
  }),
  mfaChallengeBegin: t.field({
    type: MfaChallengeBeginResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ ...EMPTY_INPUT, type: emptyInput('MfaChallengeBegin') }) },
    description: 'What the viewer may show to `mfaVerify`.',
    resolve: mfaChallengeBegin,
  }),
  mfaVerify: t.field({
    type: MfaVerifyResult,
    authScopes: SIGNED_IN,
    args: { input: t.arg({ type: MfaVerifyInput, required: true, description: 'What is shown.' }) },
    description:
      'Shows a second factor: completes a sign-in that owes one, and allows what is dangerous for five minutes. Five wrong ones within five minutes, and the user waits.',
    resolve: mfaVerify,
  }),
}));
