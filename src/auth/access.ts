import type { EventBus, Unsubscribe } from '../bus/port.ts';
import type { Clock } from '../lib/clock.ts';
import { AccessCache } from './access-cache.ts';
import { ACCESS_TOPIC } from './access-topic.ts';
import { type Credential, type CredentialKind, credentialId } from './credential-kind.ts';
import type { KnownViewer } from './viewer.ts';

/** Tells who comes with what. */
export interface Access {
  /**
   * Who came with this credential; null when it opens nothing. What was revoked is refused as soon as the process is told of
   * it, and after 5 s in any case.
   */
  authenticate(credential: Credential): Promise<KnownViewer | null>;
  /** Whether it must be looked up to tell anything of the credential: it opened nothing within the last hour, and was not refused just now. */
  isStrange(credential: Credential): boolean;
  /** The viewers as they are now, by `credentialId`; whose credential opens nothing any more is left out. */
  refresh(viewers: readonly KnownViewer[]): Promise<ReadonlyMap<string, KnownViewer>>;
  stop(): Promise<void>;
}

/** Access by these kinds of credentials. Listens for changes until it is stopped. */
export async function createAccess(
  deps: { readonly bus: EventBus; readonly clock: Clock },
  kinds: readonly CredentialKind[],
): Promise<Access> {
  const cache = new AccessCache(deps.clock);
  const unlisten: Unsubscribe = await deps.bus.listen(ACCESS_TOPIC, (userId) => cache.forget(userId));
  return {
    authenticate: async (credential) => {
      const known = cache.get(credential);
      if (known !== undefined) return known;
      if (cache.isRefused(credential)) return null;
      const kind = kinds.find((candidate) => candidate.recognises(credential));
      if (kind === undefined) return null;
      const { epoch } = cache;
      const viewer = await kind.authenticate(credential);
      if (viewer === null) cache.refuse(credential, epoch);
      else cache.put(credential, viewer, epoch);
      return viewer;
    },
    isStrange: (credential) => !cache.isFamiliar(credential) && !cache.isRefused(credential),
    refresh: async (viewers) => {
      const distinct = [...new Map(viewers.map((viewer) => [credentialId(viewer), viewer])).values()];
      const found = await Promise.all(kinds.map((kind) => kind.refresh(distinct)));
      return new Map(found.flatMap((each) => [...each]));
    },
    stop: () => unlisten(),
  };
}

/** Whether somebody still may all that they might before: then what they have open can stay open. */
export function keepsRights(before: KnownViewer, after: KnownViewer): boolean {
  if (before.kind === 'CLIENT' && after.kind === 'CLIENT') {
    return (
      before.channelId === after.channelId &&
      isWithin(before.scopes, after.scopes) &&
      isWithin(before.allowedOrigins, after.allowedOrigins) &&
      // A socket goes on under the quota it was opened with.
      (after.costPerMinute ?? Infinity) >= (before.costPerMinute ?? Infinity)
    );
  }
  if (before.kind !== 'USER' || after.kind !== 'USER') return before.kind === after.kind;
  if (before.platformRole !== after.platformRole) return false;
  if (after.mfa === 'MISSING' && before.mfa !== 'MISSING') return false;
  if (!isWithin(before.staffAccess, after.staffAccess)) return false;
  return [...before.memberships].every(([channelId, role]) => after.memberships.get(channelId) === role);
}

function isWithin<T>(part: ReadonlySet<T>, whole: ReadonlySet<T>): boolean {
  return [...part].every((item) => whole.has(item));
}
