import { randomBytes } from 'node:crypto';
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type VerifiedAuthenticationResponse,
  type VerifiedRegistrationResponse,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../db/connect.ts';
import {
  insertPasskeyChallenge,
  type PasskeyPurpose,
  type PasskeyRow,
  selectPasskeys,
  takePasskeyChallenge,
  takePasskeyCounter,
} from '../../db/passkey.ts';
import type { Clock } from '../../lib/clock.ts';
import { type SignInId, type UserId, uuidFromId } from '../../lib/ids.ts';
import type { RelyingParty } from './relying-party.ts';

/** How long a challenge may be answered, in milliseconds. */
export const CHALLENGE_TTL_MS = 5 * 60_000;
const CHALLENGE_BYTES = 32;
/** Ed25519, ECDSA with P-256, RSA: what authenticators in use can do. The library's own list has experimental ones. */
const ALGORITHMS = [-8, -7, -257];

export interface PasskeyDeps {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
}

/** In whose name a challenge is made and answered. */
export interface PasskeyPlace {
  readonly userId: UserId;
  readonly signInId: SignInId;
  readonly party: RelyingParty;
}

/** What an authenticator made: the parts of `PublicKeyCredential.toJSON()` that count, in base64url. */
export interface PasskeyAttestation {
  readonly credentialId: string;
  readonly clientDataJson: string;
  readonly attestationObject: string;
  readonly transports: readonly string[];
}

/** What an authenticator signed: the parts of `PublicKeyCredential.toJSON()` that count, in base64url. */
export interface PasskeyAssertion {
  readonly credentialId: string;
  readonly clientDataJson: string;
  readonly authenticatorData: string;
  readonly signature: string;
}

/** A passkey that was made and checked, not stored yet. */
export interface NewPasskey {
  readonly credentialId: Buffer;
  readonly publicKey: Buffer;
  readonly counter: number;
  readonly transports: readonly string[];
}

/** Options for `navigator.credentials.create`, as JSON. `label` is what the authenticator calls the account. */
export async function passkeyCreationOptions(
  deps: PasskeyDeps,
  place: PasskeyPlace & { readonly label: string; readonly existing: readonly PasskeyRow[] },
): Promise<string> {
  const options = await generateRegistrationOptions({
    rpName: 'Tallylight',
    rpID: place.party.id,
    userName: place.label,
    userID: new Uint8Array(Buffer.from(uuidFromId(place.userId).replaceAll('-', ''), 'hex')),
    challenge: await newChallenge(deps, place, 'REGISTER'),
    attestationType: 'none',
    excludeCredentials: place.existing.map(descriptorOf),
    authenticatorSelection: { userVerification: 'required', residentKey: 'preferred' },
    supportedAlgorithmIDs: ALGORITHMS,
    timeout: CHALLENGE_TTL_MS,
  });
  return JSON.stringify(options);
}

/** Options for `navigator.credentials.get`, as JSON. */
export async function passkeyRequestOptions(
  deps: PasskeyDeps,
  place: PasskeyPlace & { readonly existing: readonly PasskeyRow[] },
): Promise<string> {
  const options = await generateAuthenticationOptions({
    rpID: place.party.id,
    challenge: await newChallenge(deps, place, 'VERIFY'),
    allowCredentials: place.existing.map(descriptorOf),
    userVerification: 'required',
    timeout: CHALLENGE_TTL_MS,
  });
  return JSON.stringify(options);
}

/**
 * The passkey behind an authenticator's answer to `passkeyCreationOptions`; null when the answer is not one: other challenge,
 * origin or domain, the user not verified, or garbage. The challenge is used up either way.
 */
export async function checkAttestation(
  deps: PasskeyDeps,
  place: PasskeyPlace,
  attestation: PasskeyAttestation,
): Promise<NewPasskey | null> {
  const challenge = await takeChallenge(deps, place, {
    purpose: 'REGISTER',
    clientDataJson: attestation.clientDataJson,
  });
  if (challenge === null) return null;
  const verified = await refusedIsNull<VerifiedRegistrationResponse>(() =>
    verifyRegistrationResponse({
      response: {
        id: attestation.credentialId,
        rawId: attestation.credentialId,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: attestation.clientDataJson,
          attestationObject: attestation.attestationObject,
        },
      },
      expectedChallenge: challenge,
      expectedOrigin: place.party.origin,
      expectedRPID: place.party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    }),
  );
  if (verified?.verified !== true) return null;
  const { credential } = verified.registrationInfo;
  return {
    credentialId: Buffer.from(credential.id, 'base64url'),
    publicKey: Buffer.from(credential.publicKey),
    counter: credential.counter,
    transports: attestation.transports,
  };
}

/**
 * Whether this is a passkey of the user answering a challenge of ours, here, for the first time, with the user verified. The
 * challenge is used up either way.
 */
export async function checkAssertion(
  deps: PasskeyDeps,
  place: PasskeyPlace,
  assertion: PasskeyAssertion,
): Promise<boolean> {
  const challenge = await takeChallenge(deps, place, {
    purpose: 'VERIFY',
    clientDataJson: assertion.clientDataJson,
  });
  if (challenge === null) return false;
  const credentialId = Buffer.from(assertion.credentialId, 'base64url');
  const passkeys = await selectPasskeys(deps.db, place.userId);
  const passkey = passkeys.find((candidate) => candidate.credentialId.equals(credentialId));
  if (passkey === undefined) return false;
  const verified = await refusedIsNull<VerifiedAuthenticationResponse>(() =>
    verifyAuthenticationResponse({
      response: {
        id: assertion.credentialId,
        rawId: assertion.credentialId,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: assertion.clientDataJson,
          authenticatorData: assertion.authenticatorData,
          signature: assertion.signature,
        },
      },
      expectedChallenge: challenge,
      expectedOrigin: place.party.origin,
      expectedRPID: place.party.id,
      credential: {
        id: passkey.credentialId.toString('base64url'),
        publicKey: new Uint8Array(passkey.publicKey),
        counter: passkey.counter,
      },
      requireUserVerification: true,
    }),
  );
  if (verified?.verified !== true) return false;
  const counter = verified.authenticationInfo.newCounter;
  return takePasskeyCounter(deps.db, { id: passkey.id, counter, nowMs: deps.clock.nowMs() });
}

async function newChallenge(deps: PasskeyDeps, place: PasskeyPlace, purpose: PasskeyPurpose) {
  const challenge = randomBytes(CHALLENGE_BYTES);
  const nowMs = deps.clock.nowMs();
  await insertPasskeyChallenge(deps.db, {
    challenge,
    userId: place.userId,
    signInId: place.signInId,
    purpose,
    nowMs,
    expiresAtMs: nowMs + CHALLENGE_TTL_MS,
  });
  return new Uint8Array(challenge);
}

const CLIENT_DATA = z.object({ challenge: z.string().regex(/^[A-Za-z0-9_-]{43}$/) });

/** The challenge that was answered, in base64url, taken out of the database: null when it was not ours to be answered here and now. */
async function takeChallenge(
  deps: PasskeyDeps,
  place: PasskeyPlace,
  answer: { readonly purpose: PasskeyPurpose; readonly clientDataJson: string },
): Promise<string | null> {
  const parsed = CLIENT_DATA.safeParse(jsonOf(answer.clientDataJson));
  if (!parsed.success) return null;
  const taken = await takePasskeyChallenge(deps.db, {
    challenge: Buffer.from(parsed.data.challenge, 'base64url'),
    userId: place.userId,
    signInId: place.signInId,
    purpose: answer.purpose,
    nowMs: deps.clock.nowMs(),
  });
  return taken ? parsed.data.challenge : null;
}

function jsonOf(base64url: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

/** The library throws plain errors for every kind of bad answer, and does nothing but look at it: each of them means no. */
async function refusedIsNull<T>(verify: () => Promise<T>): Promise<T | null> {
  try {
    return await verify();
  } catch {
    return null;
  }
}

/** How a browser is told which passkey. Transports are only hints; what is not one of them it ignores. */
function descriptorOf(passkey: PasskeyRow): { id: string; transports: string[] } {
  return { id: passkey.credentialId.toString('base64url'), transports: [...passkey.transports] };
}
