import type { ChannelRow } from '../db/channel.ts';
import type { ClientRow } from '../db/client.ts';
import type { SessionRow } from '../db/session.ts';
import type { StreamRow } from '../db/stream.ts';
import type { GapRow } from '../db/stream-gap.ts';
import type { AudienceMember } from '../live/audience.ts';
import type { ShownEvent } from '../resolvers/event.ts';
import { builder } from './builder.ts';

/** The types that refer to each other; each is implemented in the file of its noun. */
export const Channel = builder.objectRef<ChannelRow>('Channel');
export const Stream = builder.objectRef<StreamRow>('Stream');
export const Session = builder.objectRef<SessionRow>('Session');
export const Gap = builder.objectRef<GapRow>('Gap');
export const Member = builder.objectRef<AudienceMember>('AudienceMember');
export const Event = builder.interfaceRef<ShownEvent>('Event');
export const Client = builder.objectRef<ClientRow>('Client');
