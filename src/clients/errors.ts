import { UserError } from '../errors/errors.ts';

/** There is no client of this id, or the asker may not see it. */
export class ClientNotFoundError extends UserError {
  override readonly name = 'ClientNotFoundError';
  readonly code = 'CLIENT_NOT_FOUND';

  constructor() {
    super('There is no such client.');
  }
}

/** The client has no key of this id. */
export class ClientKeyNotFoundError extends UserError {
  override readonly name = 'ClientKeyNotFoundError';
  readonly code = 'CLIENT_KEY_NOT_FOUND';

  constructor() {
    super('There is no such key.');
  }
}

/** The channel has as many clients as it may have. */
export class ClientLimitError extends UserError {
  override readonly name = 'ClientLimitError';
  readonly code = 'CLIENT_LIMIT_REACHED';

  constructor(clientsMax: number) {
    super(`A channel may have ${clientsMax} clients: delete one that is not used.`);
  }
}

/** The client has as many active keys as it may have. */
export class ClientKeyLimitError extends UserError {
  override readonly name = 'ClientKeyLimitError';
  readonly code = 'CLIENT_KEY_LIMIT_REACHED';

  constructor(keysMax: number) {
    super(`A client may have ${keysMax} active keys, the old and the new one: revoke one first.`);
  }
}

/** Why one operation of a manifest cannot be registered. */
export interface OperationProblem {
  /** Its place in the list, from 0. */
  readonly index: number;
  /** As the manifest says it. */
  readonly name: string;
  readonly message: string;
}

/** Operations of a manifest cannot be registered; nothing was. All problems are listed, up to a hundred. */
export class OperationsRefusedError extends UserError {
  override readonly name = 'OperationsRefusedError';
  readonly code = 'OPERATIONS_REFUSED';
  readonly problems: readonly OperationProblem[];

  constructor(problems: readonly OperationProblem[]) {
    super('Operations of the manifest cannot be registered. Nothing was published.');
    this.problems = problems.slice(0, 100);
  }
}
