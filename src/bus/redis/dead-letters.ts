import type { ChannelId } from '../../lib/ids.ts';
import { parseId } from '../../lib/ids.ts';
import { boundedLetter } from '../dead-letter-text.ts';
import { DEAD_LETTERS_MAX, DEAD_LETTERS_MEMORY_MS } from '../limits.ts';
import type { DeadLetter } from '../port.ts';
import type { RedisConnections } from './connections.ts';
import type { StreamEntry } from './event-entry.ts';

/** Letters read from Redis at a time. */
const PAGE_LETTERS = 500;

/** The dead letters of one deployment: a capped stream. */
export class RedisDeadLetters {
  readonly #connections: RedisConnections;
  readonly #key: string;

  constructor(connections: RedisConnections, key: string) {
    this.#connections = connections;
    this.#key = key;
  }

  /** @throws DependencyError */
  async add(letter: Omit<DeadLetter, 'id'>): Promise<void> {
    const { at, group, reason, attempts, channelId, message } = boundedLetter(letter);
    const fields = ['at', at, 'group', group, 'reason', reason, 'attempts', attempts];
    const rest = ['channelId', channelId ?? '', 'message', message];
    await this.#connections.call('xadd', [
      this.#key,
      'MAXLEN',
      '~',
      DEAD_LETTERS_MAX,
      '*',
      ...fields,
      ...rest,
    ]);
    await this.#connections.call('xtrim', [this.#key, 'MINID', Math.max(0, at - DEAD_LETTERS_MEMORY_MS)]);
    await this.#connections.call('pexpire', [this.#key, DEAD_LETTERS_MEMORY_MS]);
  }

  /** Oldest first. @throws DependencyError */
  async list(query: { readonly group?: string; readonly limit: number }): Promise<readonly DeadLetter[]> {
    const letters: DeadLetter[] = [];
    let from = '-';
    while (letters.length < query.limit) {
      // The shape is XRANGE's documented reply.
      const page = (await this.#connections.call('xrange', [
        this.#key,
        from,
        '+',
        'COUNT',
        PAGE_LETTERS,
      ])) as readonly StreamEntry[];
      for (const entry of page) {
        const letter = letterOf(entry);
        if (query.group === undefined || letter.group === query.group) letters.push(letter);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_LETTERS) break;
      from = `(${last[0]}`;
    }
    return letters.slice(0, query.limit);
  }
}

function letterOf([id, flat]: StreamEntry): DeadLetter {
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2) {
    fields.set(flat[index] ?? '', flat[index + 1] ?? '');
  }
  const channelId: ChannelId | undefined = parseId('channel', fields.get('channelId') ?? '');
  return {
    id,
    at: Number(fields.get('at') ?? 0),
    group: fields.get('group') ?? '',
    reason: fields.get('reason') ?? '',
    attempts: Number(fields.get('attempts') ?? 0),
    channelId: channelId ?? null,
    message: fields.get('message') ?? '',
  };
}
