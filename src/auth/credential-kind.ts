import type { KnownViewer } from './viewer.ts';

/** What somebody came with: a bearer credential (a key or a token), or the session cookie's value. */
export type Credential =
  | { readonly kind: 'BEARER'; readonly text: string }
  | { readonly kind: 'COOKIE'; readonly token: string };

/**
 * One kind of credential. A new kind (the keys of integrators' applications, say) is one more of these in the list that
 * `createAccess` is given.
 */
export interface CredentialKind {
  /** Whether the credential looks like one of this kind; nothing is looked up. */
  recognises(credential: Credential): boolean;
  /** Who holds it; null when it opens nothing. Only what it recognises is asked for. */
  authenticate(credential: Credential): Promise<KnownViewer | null>;
  /**
   * Those of the viewers that came with this kind of credential and still hold it, as they are now, by `credentialId`.
   * Who is not of this kind is passed over.
   */
  refresh(viewers: readonly KnownViewer[]): Promise<ReadonlyMap<string, KnownViewer>>;
}

/** Names what the viewer came with: a key, a session, a family of tokens. Opens nothing. */
export function credentialId(viewer: KnownViewer): string {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'OVERLAY':
      return viewer.accessKeyId;
    case 'CLIENT':
      return viewer.keyId;
    case 'USER':
      // A session and the tokens made from it share an id, and end at different times.
      return `${viewer.credential.kind} ${viewer.credential.id}`;
  }
}
