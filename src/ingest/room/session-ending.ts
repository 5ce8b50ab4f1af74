import { assertNever } from '../../lib/assert.ts';
import type { ConnectionEnd } from '../live-source.ts';

/** The words of a connection's end, with the close codes of RFC 6455 where the provider gave none. */
export function endingOf(
  end: ConnectionEnd,
  willReconnect: boolean,
): { readonly code: number; readonly reason: string; readonly streamEnd: 'ENDED' | 'SUSPENDED' | null } {
  switch (end.kind) {
    case 'STREAM_ENDED':
      return { code: 1000, reason: 'The stream ended.', streamEnd: 'ENDED' };
    case 'STREAM_SUSPENDED':
      return { code: 1000, reason: 'The stream was suspended.', streamEnd: 'SUSPENDED' };
    case 'CLOSED':
      return {
        code: end.code,
        reason: end.reason === '' ? 'Closed by TikTok.' : end.reason,
        streamEnd: null,
      };
    case 'ABORTED':
      return {
        code: 1000,
        reason: willReconnect ? 'Nothing came for too long.' : 'Stopped here.',
        streamEnd: null,
      };
    default:
      return assertNever(end);
  }
}
