import type { ChannelId } from '../../lib/ids.ts';
import type { LeaseProof } from '../port.ts';

/** The tail of a lease name that ties it to a channel: `room:chn_…`. */
const CHANNEL_TAIL = /chn_[0-9a-f]{32}$/;

/**
 * Names of everything the bus keeps in Redis. What one script touches has one hash tag, `{<prefix>:s<shard>}`, so it lies
 * on one node of a cluster: a channel's stream, head, state, ids, lease and live channel are all in its shard.
 */
export class RedisKeys {
  readonly shards: number;
  readonly #prefix: string;
  readonly #groupPrefix: string;

  constructor(options: {
    readonly keyPrefix: string;
    readonly groupPrefix: string;
    readonly shards: number;
  }) {
    this.shards = options.shards;
    // The hash tag ends at the first brace, and a trailing colon is only a habit of writing prefixes.
    this.#prefix = options.keyPrefix.replaceAll(/[{}]/g, '').replace(/:$/, '');
    this.#groupPrefix = options.groupPrefix;
  }

  /** The shard of a channel, of 0 to `shards` - 1. */
  shardOf(name: string): number {
    return fnv1a(name) % this.shards;
  }

  stream(shard: number): string {
    return `${this.#tag(shard)}:events`;
  }

  /** Groups seen reading a shard, with the time: those hold its stream back. */
  readers(shard: number): string {
    return `${this.#tag(shard)}:readers`;
  }

  head(channelId: ChannelId): string {
    return `${this.#tagOf(channelId)}:head:${channelId}`;
  }

  state(channelId: ChannelId): string {
    return `${this.#tagOf(channelId)}:state:${channelId}`;
  }

  /** One of the two windows of ids seen lately. */
  seen(channelId: ChannelId, window: 0 | 1): string {
    return `${this.#tagOf(channelId)}:seen:${channelId}:${window}`;
  }

  live(channelId: ChannelId): string {
    return `${this.#tagOf(channelId)}:live:${channelId}`;
  }

  presence(place: { readonly channelId: ChannelId; readonly kind: string }): string {
    return `${this.#tagOf(place.channelId)}:presence:${place.channelId}:${place.kind}`;
  }

  /** A lease lies in the shard of the channel it names, so that the append script can check it; else of its whole name. */
  lease(name: LeaseProof['name']): string {
    return `${this.#tagOf(CHANNEL_TAIL.exec(name)?.[0] ?? name)}:lease:${name}`;
  }

  /** Who reads a shard for a group. */
  shardLease(group: string, shard: number): string {
    return `${this.#tag(shard)}:reader:${this.group(group)}`;
  }

  /** The group's name in Redis. */
  group(group: string): string {
    return `${this.#groupPrefix}${group}`;
  }

  members(group: string): string {
    return `{${this.#prefix}:g:${this.group(group)}}:members`;
  }

  deadLetters(): string {
    return `{${this.#prefix}:dead:${this.#groupPrefix}}:letters`;
  }

  topic(topic: string): string {
    return `{${this.#prefix}:t:${topic}}`;
  }

  #tagOf(name: string): string {
    return this.#tag(this.shardOf(name));
  }

  #tag(shard: number): string {
    return `{${this.#prefix}:s${shard}}`;
  }
}

/** FNV-1a, 32 bits: spreads names over shards, the same in every process and version. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
