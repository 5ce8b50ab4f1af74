import { writeFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './src/schema/index.ts';

/** Prints the API's schema to `schema.graphql`, which a test holds against the code. Run by `npm run schema`. */
const HEADER = '# The API of Tallylight. Printed by `npm run schema`; do not edit.\n\n';

export function printedSchema(): string {
  return `${HEADER}${printSchema(lexicographicSortSchema(schema))}\n`;
}

if (import.meta.main) await writeFile(new URL('./schema.graphql', import.meta.url), printedSchema());
