import type { Delivery, EventBus, Unsubscribe } from '../bus/port.ts';
import type { ChannelId } from '../lib/ids.ts';
import type { SharedSources, Sink } from './shared-source.ts';

/** How often at most a busy stream's counters are told anew, in milliseconds. */
const COUNTERS_EVERY_MS = 1_000;

/** Why a subscriber should look again. What there is to see is read when it looks. */
export const STREAM_CHANGE_KINDS = ['SNAPSHOT', 'STATE', 'COUNTERS'] as const;
export type StreamChangeKind = (typeof STREAM_CHANGE_KINDS)[number];

export interface StreamChange {
  readonly channelId: ChannelId;
  /** SNAPSHOT: the beginning. STATE: connection, session, stream or gap changed. COUNTERS: events came. */
  readonly kind: StreamChangeKind;
}

/** The bus topic on which ingest tells that a channel's connection, session, stream or gaps changed. */
export function streamTopic(channelId: ChannelId): string {
  return `stream:${channelId}`;
}

/** Opens the changes of one channel: what ingest tells, and a beat while live events come. */
export async function openStreamChanges(
  deps: { readonly bus: EventBus; readonly events: SharedSources<ChannelId, Delivery> },
  channelId: ChannelId,
  sink: Sink<StreamChange>,
): Promise<Unsubscribe> {
  let timer: NodeJS.Timeout | null = null;
  const tellCounters = () => {
    timer = null;
    sink.receive({ channelId, kind: 'COUNTERS' });
  };
  const unlisten = await deps.bus.listen(streamTopic(channelId), () =>
    sink.receive({ channelId, kind: 'STATE' }),
  );
  try {
    const leave = await deps.events.join(channelId, {
      receive: ({ event }) => {
        if (event.source === 'LIVE') timer ??= setTimeout(tellCounters, COUNTERS_EVERY_MS);
      },
      // Every change is told as the state then is, so nothing needs to be made up for but the look itself.
      interrupted: () => sink.receive({ channelId, kind: 'STATE' }),
    });
    return async () => {
      if (timer !== null) clearTimeout(timer);
      leave();
      await unlisten();
    };
  } catch (error) {
    await unlisten();
    throw error;
  }
}
