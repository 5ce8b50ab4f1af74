import type { Viewer } from '../auth/viewer.ts';
import type { ChannelId } from '../lib/ids.ts';
import type { AuditAct } from './entry.ts';

/** Who asks, as the log names them. */
export function actorOf(
  viewer: Viewer,
  channelId: ChannelId | null,
): Pick<AuditAct, 'actorKind' | 'actorId' | 'role'> {
  switch (viewer.kind) {
    case 'ANONYMOUS':
      return { actorKind: 'ANONYMOUS', actorId: null, role: null };
    case 'OPERATOR':
    case 'OVERLAY':
      return { actorKind: viewer.kind, actorId: viewer.accessKeyId, role: null };
    case 'CLIENT':
      return { actorKind: 'CLIENT', actorId: viewer.clientId, role: null };
    case 'USER': {
      const inChannel = channelId === null ? undefined : viewer.memberships.get(channelId);
      return { actorKind: 'USER', actorId: viewer.userId, role: inChannel ?? viewer.platformRole };
    }
  }
}
