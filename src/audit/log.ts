import type { Kysely } from 'kysely';
import type { Viewer } from '../auth/viewer.ts';
import { insertAuditIntent, keepAuditIntents, takeLostAuditIntent } from '../db/audit-log.ts';
import type { Database } from '../db/connect.ts';
import type { Clock } from '../lib/clock.ts';
import { type ChannelId, type Id, newId, parseId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { sealContext } from '../privacy/context.ts';
import { seal } from '../privacy/envelope.ts';
import type { MasterKey } from '../privacy/master-key.ts';
import type { Vault } from '../privacy/vault.ts';
import { actorOf } from './actor.ts';
import { Appender } from './appender.ts';
import { createAuditChain } from './chain.ts';
import type { AuditAct, AuditIntent, AuditResult } from './entry.ts';

/** How often we say what we are still doing, look for what others left, and write down what was counted, in milliseconds. */
const TICK_MS = 20_000;
/** Without a word for so long, who did it is dead, in milliseconds. */
const LOST_MS = 60_000;
/** Refusals of strangers are counted over so long and then written as one entry, in milliseconds. */
const COUNT_MS = 60_000;

/** Something to note, with where it came from. */
export interface AuditNote extends AuditAct {
  /** Sealed before it is stored, under the key of a user; not stored for anybody else. */
  readonly address: string | null;
}

/** Something under way. */
export interface PendingAct {
  /** Writes the entry, with what turned out meanwhile. Never throws: what cannot be written becomes UNKNOWN later. */
  finish(result: AuditResult, learnt?: Partial<AuditNote>): Promise<void>;
}

/** Writes the log. */
export interface AuditLog {
  /** Notes that something is about to be done. Throws when that cannot be stored: then it must not be done. */
  begin(note: AuditNote): Promise<PendingAct>;
  /** Adds an entry. */
  record(note: AuditNote & AuditResult): Promise<void>;
  /** Counts a refusal of somebody unknown: of each action and reason one entry a minute is written. */
  countRefusal(refusal: { readonly action: string; readonly code: string }): void;
  /** Adds an entry for staff who are about to read personal data in somebody else's channel. Throws when it cannot: then they must not. */
  recordPiiRead(read: PiiRead): Promise<void>;
  /** Turns what dead processes left into entries. How many. */
  recover(): Promise<number>;
  /** Writes what was counted, now. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export interface PiiRead {
  readonly viewer: Viewer;
  readonly channelId: ChannelId;
  readonly requestId: string;
  readonly address: string | null;
}

export interface AuditDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The log of this process. Looks for what dead processes left at once, and from then on until stopped. */
export async function startAuditLog(deps: AuditDeps): Promise<AuditLog & { stop(): Promise<void> }> {
  const log = new Log(deps);
  await log.recover();
  log.start();
  return log;
}

class Log implements AuditLog {
  readonly #deps: AuditDeps;
  readonly #appender: Appender;
  readonly #open = new Set<Id<'auditEntry'>>();
  readonly #counted = new Map<string, { action: string; code: string; since: number; count: number }>();
  readonly #writing = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: AuditDeps) {
    this.#deps = deps;
    this.#appender = new Appender(deps.db, createAuditChain(deps.masterKey));
  }

  start(): void {
    this.#timer = setInterval(() => this.#behind(this.#tick()), TICK_MS);
    this.#timer.unref();
  }

  async begin(note: AuditNote): Promise<PendingAct> {
    const intent = await this.#intentOf(note, this.#newPlace());
    await insertAuditIntent(this.#deps.db, intent);
    this.#open.add(intent.id);
    return {
      finish: async (result, learnt) => {
        try {
          await this.#finish({ ...note, ...learnt, ...result }, intent);
        } catch (error) {
          this.#deps.logger.error({ err: error, action: note.action }, 'audit.entry-not-written');
        } finally {
          this.#open.delete(intent.id);
        }
      },
    };
  }

  async record(note: AuditNote & AuditResult): Promise<void> {
    const { outcome, code } = note;
    const content = { ...(await this.#intentOf(note, this.#newPlace())), outcome, code };
    await this.#appender.add(content, null);
  }

  countRefusal({ action, code }: { readonly action: string; readonly code: string }): void {
    const key = `${action} ${code}`;
    const counted = this.#counted.get(key);
    if (counted === undefined) {
      this.#counted.set(key, { action, code, since: this.#deps.clock.nowMs(), count: 1 });
    } else counted.count += 1;
  }

  async recordPiiRead({ viewer, channelId, requestId, address }: PiiRead): Promise<void> {
    const note = {
      channelId,
      action: 'personalDataRead',
      target: channelId,
      requestId,
      address,
      details: {},
    };
    await this.record({ ...actorOf(viewer, channelId), ...note, outcome: 'DONE', code: null });
  }

  async recover(): Promise<number> {
    const { db, clock } = this.#deps;
    for (let found = 0; ; found += 1) {
      const more = await db.transaction().execute(async (tx) => {
        const intent = await takeLostAuditIntent(tx, clock.nowMs() - LOST_MS);
        if (intent === undefined) return false;
        await this.#appender.append(tx, [{ ...intent, outcome: 'UNKNOWN', code: null }]);
        return true;
      });
      if (!more) return found;
    }
  }

  async flush(): Promise<void> {
    const due = [...this.#counted.values()];
    this.#counted.clear();
    for (const { action, code, since, count } of due) {
      const nobody = { actorKind: 'ANONYMOUS', actorId: null, role: null, channelId: null } as const;
      const details = { count, since: new Date(since).toISOString() };
      const rest = { action, target: null, requestId: null, address: null, details };
      await this.record({ ...nobody, ...rest, outcome: 'REFUSED', code });
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#behind(this.flush());
    await Promise.allSettled(this.#writing);
  }

  async #tick(): Promise<void> {
    const { db, clock } = this.#deps;
    const nowMs = clock.nowMs();
    if (this.#open.size > 0) await keepAuditIntents(db, { ids: [...this.#open], nowMs });
    await this.recover();
    if ([...this.#counted.values()].some(({ since }) => since <= nowMs - COUNT_MS)) await this.flush();
  }

  async #finish(note: AuditNote & AuditResult, intent: AuditIntent): Promise<void> {
    const { outcome, code } = note;
    const content = { ...(await this.#intentOf(note, intent)), outcome, code };
    const isFirst = await this.#appender.add(content, intent.id);
    // It was gone: we were taken for dead, and an entry with UNKNOWN was written under its id. This one corrects it.
    if (!isFirst) await this.record({ ...note, details: { ...note.details, corrects: intent.id } });
  }

  #newPlace(): Pick<AuditIntent, 'id' | 'at'> {
    const at = this.#deps.clock.nowMs();
    return { id: newId('auditEntry', at), at };
  }

  /** The address is sealed for the entry of this id, and opens in no other. */
  async #intentOf(
    { address, ...act }: AuditNote,
    { id, at }: Pick<AuditIntent, 'id' | 'at'>,
  ): Promise<AuditIntent> {
    const { actorKind, actorId, role, channelId, action, target, requestId, details } = act;
    const known = { actorKind, actorId, role, channelId, action, target, requestId, details };
    return { ...known, id, at, address: await this.#sealedAddress(id, act, address) };
  }

  async #sealedAddress(id: Id<'auditEntry'>, act: AuditAct, address: string | null): Promise<Buffer | null> {
    const userId = act.actorKind === 'USER' ? parseId('user', act.actorId ?? '') : undefined;
    if (address === null || userId === undefined) return null;
    const key = (await this.#deps.vault.dataKeys([userId], { create: false })).get(userId);
    return key === undefined ? null : seal(key, sealContext.auditAddress(id), address);
  }

  /** Lets it go on by itself; `stop` waits for it. */
  #behind(work: Promise<unknown>): void {
    const done: Promise<void> = work
      .then(
        () => undefined,
        (error: unknown) => this.#deps.logger.error({ err: error }, 'audit.entry-not-written'),
      )
      .finally(() => this.#writing.delete(done));
    this.#writing.add(done);
  }
}
