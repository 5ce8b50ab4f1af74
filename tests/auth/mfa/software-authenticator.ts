import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { PasskeyAssertion, PasskeyAttestation } from '../../../src/auth/mfa/passkeys.ts';

/** What a hostile or broken authenticator or page does otherwise than it should. */
export interface Deviation {
  /** The page's origin as the browser reports it. */
  readonly origin?: string;
  /** The domain whose passkey answers. */
  readonly rpId?: string;
  /** The challenge that is answered, in base64url. */
  readonly challenge?: string;
  /** The signature counter. */
  readonly counter?: number;
  /** Whether the user was verified, by finger or PIN. */
  readonly userVerified?: boolean;
  /** What the browser says was done. */
  readonly type?: string;
}

/** An authenticator with one passkey (ECDSA, P-256), in software. */
export interface SoftwareAuthenticator {
  readonly credentialId: string;
  /** Answers `navigator.credentials.create`. */
  create(optionsJson: string, deviation?: Deviation): PasskeyAttestation;
  /** Answers `navigator.credentials.get`. */
  get(optionsJson: string, deviation?: Deviation): PasskeyAssertion;
}

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const ATTESTED = 0x40;

/** A new authenticator for pages of `origin`, counting its signatures from 1. */
export function createAuthenticator(origin: string): SoftwareAuthenticator {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const credentialId = randomBytes(32);
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  let signatures = 0;

  function clientData(type: string, challenge: string, deviation: Deviation): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: deviation.type ?? type,
        challenge: deviation.challenge ?? challenge,
        origin: deviation.origin ?? origin,
        crossOrigin: false,
      }),
    );
  }

  function authenticatorData(rpId: string, deviation: Deviation, attested?: Buffer): Buffer {
    const flags =
      USER_PRESENT |
      (deviation.userVerified === false ? 0 : USER_VERIFIED) |
      (attested === undefined ? 0 : ATTESTED);
    const head = Buffer.alloc(37);
    sha256(deviation.rpId ?? rpId).copy(head);
    head[32] = flags;
    head.writeUInt32BE(deviation.counter ?? signatures, 33);
    return attested === undefined ? head : Buffer.concat([head, attested]);
  }

  return {
    credentialId: credentialId.toString('base64url'),
    create: (optionsJson, deviation = {}) => {
      const options = JSON.parse(optionsJson) as { challenge: string; rp: { id: string } };
      const length = Buffer.alloc(2);
      length.writeUInt16BE(credentialId.length);
      const coseKey = cborMap([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(x, 'base64url')],
        [-3, Buffer.from(y, 'base64url')],
      ]);
      const attested = Buffer.concat([Buffer.alloc(16), length, credentialId, coseKey]);
      const data = authenticatorData(options.rp.id, deviation, attested);
      const attestation = cborMap([
        ['fmt', 'none'],
        ['attStmt', new Map<string, string>()],
        ['authData', data],
      ]);
      return {
        credentialId: credentialId.toString('base64url'),
        clientDataJson: clientData('webauthn.create', options.challenge, deviation).toString('base64url'),
        attestationObject: attestation.toString('base64url'),
        transports: ['internal'],
      };
    },
    get: (optionsJson, deviation = {}) => {
      const options = JSON.parse(optionsJson) as { challenge: string; rpId: string };
      signatures += 1;
      const data = authenticatorData(options.rpId, deviation);
      const client = clientData('webauthn.get', options.challenge, deviation);
      const signature = sign('sha256', Buffer.concat([data, sha256(client)]), privateKey);
      return {
        credentialId: credentialId.toString('base64url'),
        clientDataJson: client.toString('base64url'),
        authenticatorData: data.toString('base64url'),
        signature: signature.toString('base64url'),
      };
    },
  };
}

function sha256(data: Buffer | string): Buffer {
  return createHash('sha256').update(data).digest();
}

type Cbor = number | string | Buffer | ReadonlyMap<string, string>;

/** As much of CBOR (RFC 8949) as attestations need. */
function cborMap(entries: readonly (readonly [number | string, Cbor])[]): Buffer {
  return Buffer.concat([
    cborHead(5, entries.length),
    ...entries.flatMap(([key, value]) => [cbor(key), cbor(value)]),
  ]);
}

function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
  if (typeof value === 'string')
    return Buffer.concat([cborHead(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Map) return cborHead(5, 0);
  return Buffer.concat([cborHead(2, (value as Buffer).length), value as Buffer]);
}

function cborHead(major: number, length: number): Buffer {
  const kind = major << 5;
  if (length < 24) return Buffer.from([kind | length]);
  if (length < 256) return Buffer.from([kind | 24, length]);
  return Buffer.from([kind | 25, length >> 8, length & 0xff]);
}
