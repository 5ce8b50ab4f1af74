import type { Kysely } from 'kysely';
import type { Viewer } from '../auth/viewer.ts';
import type { EventBus, Unsubscribe } from '../bus/port.ts';
import { selectRunnableOperations } from '../db/client-operation.ts';
import type { Database } from '../db/connect.ts';
import type { Clock } from '../lib/clock.ts';
import type { ClientId } from '../lib/ids.ts';
import { OPERATIONS_TOPIC } from './manifest.ts';
import type { RegisteredOperation } from './operation.ts';

/** The version in use and the one that takes its place. */
const VERSIONS_RUNNABLE = 2;
/** Clients whose operations are kept in memory. */
const CLIENTS_MAX = 200;
/** How long they are believed without a look, in case a publication was not told, in milliseconds. */
const AGE_MAX_MS = 30_000;

type Operations = ReadonlyMap<string, RegisteredOperation>;

interface Entry {
  readonly operations: Promise<Operations>;
  readonly untilMs: number;
}

/** Operations that our own pages run. */
export interface FirstPartyOperations {
  /** All that an overlay may run. */
  readonly overlay: Operations;
  /** What people run in the console, beside the overlay's. */
  readonly console: Operations;
}

interface Deps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
}

/** Which documents may be run by id, by whom. Integrators' are kept in memory and read again once they publish. */
export class RegisteredOperations {
  readonly #deps: Deps;
  readonly #firstParty: FirstPartyOperations;
  /** In order of use, the longest unused first. */
  readonly #byClient = new Map<ClientId, Entry>();
  #unlisten: Unsubscribe | null = null;

  constructor(deps: Deps, firstParty: FirstPartyOperations) {
    this.#deps = deps;
    this.#firstParty = firstParty;
  }

  async start(): Promise<void> {
    // Nothing but ids of ours is told there, and one of another kind would only miss.
    this.#unlisten = await this.#deps.bus.listen(OPERATIONS_TOPIC, (id) =>
      this.#byClient.delete(id as ClientId),
    );
  }

  async stop(): Promise<void> {
    await this.#unlisten?.();
  }

  /** The operation of this hash that the viewer may run, or undefined. Another client's is not told from an unknown one. */
  async find(viewer: Viewer, hash: string): Promise<RegisteredOperation | undefined> {
    switch (viewer.kind) {
      case 'CLIENT':
        return (await this.#ofClient(viewer.clientId)).get(hash);
      case 'OVERLAY':
        return this.#firstParty.overlay.get(hash);
      case 'ANONYMOUS':
        return this.#firstParty.console.get(hash);
      case 'OPERATOR':
      case 'USER':
        return this.#firstParty.console.get(hash) ?? this.#firstParty.overlay.get(hash);
    }
  }

  async #ofClient(clientId: ClientId): Promise<Operations> {
    const nowMs = this.#deps.clock.nowMs();
    const known = this.#byClient.get(clientId);
    this.#byClient.delete(clientId);
    // The promise is what is kept: who asks meanwhile waits for the same, and a publication drops it under way too.
    const entry =
      known !== undefined && known.untilMs > nowMs
        ? known
        : { operations: this.#load(clientId), untilMs: nowMs + AGE_MAX_MS };
    this.#byClient.set(clientId, entry);
    const [oldest] = this.#byClient.keys();
    if (this.#byClient.size > CLIENTS_MAX && oldest !== undefined) this.#byClient.delete(oldest);
    try {
      return await entry.operations;
    } catch (error) {
      if (this.#byClient.get(clientId) === entry) this.#byClient.delete(clientId);
      throw error;
    }
  }

  async #load(clientId: ClientId): Promise<Operations> {
    const rows = await selectRunnableOperations(this.#deps.db, clientId, VERSIONS_RUNNABLE);
    return new Map(rows.map((row) => [row.hash, row]));
  }
}
