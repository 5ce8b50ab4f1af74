import { buildSchema, parse, validate } from 'graphql';
import type { Kysely } from 'kysely';
import { selectOperationsInUse } from '../db/client-operation.ts';
import type { Database } from '../db/connect.ts';
import type { Clock } from '../lib/clock.ts';
import type { ClientId } from '../lib/ids.ts';
import { dayOf } from './usage.ts';

/** An operation that clients ran lately and that a schema would break. */
export interface BrokenOperation {
  readonly clientId: ClientId;
  readonly name: string;
  readonly hash: string;
  readonly runs: number;
  readonly problems: readonly string[];
}

/**
 * Holds every operation that ran in the last days against a schema (as printed).
 * @throws GraphQLError when the text is not a schema
 */
export async function checkUsedOperations(
  deps: { readonly db: Kysely<Database>; readonly clock: Clock },
  request: { readonly schemaText: string; readonly days: number },
): Promise<{ readonly checked: number; readonly broken: readonly BrokenOperation[] }> {
  const schema = buildSchema(request.schemaText);
  const used = await selectOperationsInUse(deps.db, dayOf(deps.clock.nowMs(), request.days));
  const broken = used.flatMap(({ document, ...operation }) => {
    const problems = validate(schema, parse(document)).map(({ message }) => message);
    return problems.length === 0 ? [] : [{ ...operation, problems }];
  });
  return { checked: used.length, broken };
}
