import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { operationHash, type RegisteredOperation } from '../clients/operation.ts';
import type { FirstPartyOperations } from '../clients/registered-operations.ts';

/**
 * What our own pages run: the files of `operations` in each page's folder, by the sha256 of the file. A test holds every
 * one of them against the schema and the limits.
 */
export async function loadFirstParty(directories: {
  readonly overlayDirectory: string;
  readonly consoleDirectory?: string;
}): Promise<FirstPartyOperations> {
  const { overlayDirectory, consoleDirectory } = directories;
  return {
    overlay: await loadOperations(path.join(overlayDirectory, 'operations')),
    console:
      consoleDirectory === undefined
        ? new Map()
        : await loadOperations(path.join(consoleDirectory, 'operations')),
  };
}

async function loadOperations(directory: string): Promise<ReadonlyMap<string, RegisteredOperation>> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.graphql')).sort();
  const operations = await Promise.all(
    names.map(async (name) => {
      const document = await readFile(path.join(directory, name), 'utf8');
      return { hash: operationHash(document), name: path.basename(name, '.graphql'), document };
    }),
  );
  return new Map(operations.map((operation) => [operation.hash, operation]));
}
