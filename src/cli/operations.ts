import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { checkUsedOperations } from '../clients/schema-check.ts';
import { isLoopbackHost } from '../lib/loopback.ts';
import { type ApiClient, createApiClient, createRemoteApiClient, NoApiError } from './api-client.ts';
import { type Command, type CommandContext, numberOption } from './command.ts';
import { EXIT_CODES, type ExitCode, RefusedError, UsageError } from './exit-code.ts';
import { withFoundation } from './foundation.ts';

/** The schema of this version. */
const SCHEMA_PATH = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
const USAGE_DAYS = 90;

const PUBLISH = `mutation CliOperationsPublish($input: ClientOperationsPublishInput!) {
  clientOperationsPublish(input: $input) {
    ... on ClientOperationsPublishPayload { version documentIds }
    ... on OperationsRefusedError { problems { index name message } }
    ... on UserError { message }
  }
}`;

const manifestSchema = z.object({
  operations: z.array(z.object({ name: z.string(), document: z.string() })),
});
const publishSchema = z.object({
  clientOperationsPublish: z.union([
    z.object({ version: z.number(), documentIds: z.array(z.string()) }),
    z.object({
      message: z.string(),
      problems: z.array(z.object({ index: z.number(), name: z.string(), message: z.string() })).optional(),
    }),
  ]),
});

/** `tallylight operations`: publishes a client's operations, and holds a schema against those in use. */
export const operationsCommand: Command = {
  name: 'operations',
  summary: "publish a client's operations, or check that a schema breaks none in use",
  usage:
    'publish --client <id> --file <path> [--url <url> --key <key>]   |   operations check [--schema <path>]',
  description:
    'publish registers what a client runs from now on, all of it or nothing. Without --url it asks the Tallylight on this machine.\n' +
    'check holds a schema against every operation that clients ran in the last 90 days, and fails when it breaks one. It works on\n' +
    'DATABASE_URL, or on the embedded database, also while `tallylight start` runs on it.',
  positionals: { min: 1, max: 1 },
  options: [
    { name: 'client', placeholder: 'id', description: "The client's id, cli_….", defaultText: null },
    { name: 'file', placeholder: 'path', description: 'The manifest, in JSON.', defaultText: null },
    { name: 'url', placeholder: 'url', description: 'Where the API is.', defaultText: 'this machine' },
    {
      name: 'key',
      placeholder: 'key',
      description: 'A key or an access token that may manage the client there.',
      defaultText: null,
    },
    {
      name: 'schema',
      placeholder: 'path',
      description: 'The schema to check.',
      defaultText: "this version's schema.graphql",
    },
    {
      name: 'days',
      placeholder: 'N',
      description: 'How many days back an operation counts as in use.',
      defaultText: String(USAGE_DAYS),
    },
  ],
  choices: [],
  examples: [
    'tallylight operations publish --client cli_0123456789abcdef0123456789abcdef --file manifest.json',
    'tallylight operations check --schema schema.graphql',
  ],
  logLevel: 'warn',
  run: (context) => {
    const [action] = context.input.positionals;
    if (action === 'publish') return publish(context);
    if (action === 'check') return check(context);
    throw new UsageError('operations takes publish or check. See: tallylight operations --help');
  },
};

async function publish(context: CommandContext): Promise<ExitCode> {
  const { input, terminal } = context;
  const clientId = input.text('client');
  const file = input.text('file');
  if (clientId === undefined || file === undefined) {
    throw new UsageError('operations publish needs --client and --file.');
  }
  const { operations } = readManifest(file);
  const api = await targetOf(context);
  const answer = await ask(api, { clientId, operations });
  if ('message' in answer) {
    for (const { index, name, message } of answer.problems ?? []) {
      terminal.note(`operation ${index} (${name}): ${message}`);
    }
    throw new RefusedError(answer.message);
  }
  terminal.print(`Version ${answer.version}: ${answer.documentIds.length} operations.`);
  for (const id of answer.documentIds) terminal.print(id);
  return EXIT_CODES.OK;
}

async function ask(api: ApiClient, input: object) {
  try {
    const { clientOperationsPublish } = await api.ask({
      query: PUBLISH,
      variables: { input },
      schema: publishSchema,
    });
    return clientOperationsPublish;
  } catch (error) {
    if (error instanceof NoApiError) throw new RefusedError(`${error.message} ${error.advice}`);
    throw error;
  }
}

async function targetOf({ config, input }: CommandContext): Promise<ApiClient> {
  const url = input.text('url');
  const key = input.text('key');
  if ((url === undefined) !== (key === undefined)) throw new UsageError('--url and --key go together.');
  if (url !== undefined && key !== undefined) {
    if (!URL.canParse(url) || !isSafe(new URL(url))) {
      throw new UsageError(`--url is "${url}": it must begin with https://, or be of this machine.`);
    }
    return createRemoteApiClient(url, key);
  }
  const api = await createApiClient(config);
  if (api === null) throw new RefusedError('nothing was ever started here. Give --url and --key.');
  return api;
}

/** A key goes in the clear to nobody but this machine. */
function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname));
}

function readManifest(path: string): z.infer<typeof manifestSchema> {
  const parsed = manifestSchema.safeParse(readJson(path));
  if (!parsed.success) {
    throw new UsageError(`${path} is no manifest: { "operations": [{ "name": "…", "document": "…" }] }.`);
  }
  return parsed.data;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${path} is not JSON.`);
    throw error;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(`${path} cannot be read.`);
  }
}

async function check(context: CommandContext): Promise<ExitCode> {
  const { terminal, input } = context;
  const schemaText = readText(input.text('schema') ?? SCHEMA_PATH);
  const days = numberOption(input, 'days') ?? USAGE_DAYS;
  return withFoundation(context, 'operations', async (foundation) => {
    const { checked, broken } = await checkUsedOperations(foundation, { schemaText, days });
    for (const { clientId, name, hash, runs, problems } of broken) {
      terminal.note(`breaks ${name} of ${clientId} (${runs} runs, sha256:${hash}): ${problems.join(' ')}`);
    }
    terminal.print(`${checked} operations in use, ${broken.length} broken.`);
    return broken.length === 0 ? EXIT_CODES.OK : EXIT_CODES.REFUSED;
  });
}
