import {
  defaultFieldResolver,
  GraphQLError,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import { mayInChannel } from '../../src/auth/permissions.ts';
import {
  ANONYMOUS,
  CLIENT_SCOPES,
  type ClientScope,
  type PlatformRole,
  type SignedInUser,
  type Viewer,
} from '../../src/auth/viewer.ts';
import type { AppContext } from '../../src/context.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, newId } from '../../src/lib/ids.ts';
import { schema } from '../../src/schema/index.ts';

/** The channel that every row of the walk belongs to, and another one. */
const HERE = newId('channel', 1);
const ELSEWHERE = newId('channel', 2);

function user(
  role: 'OWNER' | 'MODERATOR' | 'VIEWER' | null,
  channelId: ChannelId,
  platformRole: PlatformRole = 'USER',
  more: Partial<SignedInUser> = {},
): SignedInUser {
  return {
    kind: 'USER',
    userId: newId('user', 3),
    platformRole,
    emailVerified: true,
    credential: { kind: 'SESSION', id: newId('signIn', 4) },
    mfa: 'DONE',
    freshUntilMs: Number.MAX_SAFE_INTEGER,
    memberships: new Map(role === null ? [] : [[channelId, role]]),
    staffAccess: new Set(),
    ...more,
  };
}

function client(scopes: readonly ClientScope[], channelId: ChannelId = HERE): Viewer {
  const ids = { clientId: newId('client', 5), keyId: newId('clientKey', 6) };
  const limits = { allowedOrigins: new Set<string>(), costPerMinute: null };
  return { kind: 'CLIENT', ...ids, ...limits, channelId, scopes: new Set(scopes) };
}

const accessKeyId = newId('accessKey', 7);

/** Everybody who may ask, by the name that the table gives them. `other` is of another channel. */
export const ROLES: Readonly<Record<string, Viewer>> = {
  anonymous: ANONYMOUS,
  'owes factor': user('OWNER', HERE, 'USER', { mfa: 'MISSING' }),
  viewer: user('VIEWER', HERE),
  moderator: user('MODERATOR', HERE),
  owner: user('OWNER', HERE),
  'stale owner': user('OWNER', HERE, 'USER', { freshUntilMs: null }),
  'other moderator': user('MODERATOR', ELSEWHERE),
  'other owner': user('OWNER', ELSEWHERE),
  ...Object.fromEntries(CLIENT_SCOPES.map((scope) => [`client ${scope}`, client([scope])])),
  'other client': client(CLIENT_SCOPES, ELSEWHERE),
  overlay: { kind: 'OVERLAY', accessKeyId, channelId: HERE },
  'other overlay': { kind: 'OVERLAY', accessKeyId, channelId: ELSEWHERE },
  compliance: user(null, HERE, 'COMPLIANCE'),
  admin: user(null, HERE, 'ADMIN'),
  'admin with reason': user(null, HERE, 'ADMIN', { staffAccess: new Set([HERE]) }),
  operator: { kind: 'OPERATOR', accessKeyId },
};

const REFUSALS: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: '–',
  FORBIDDEN: '–',
  MFA_REQUIRED: 'factor',
  STEP_UP_REQUIRED: 'step up',
};

/** What one role gets of one field of a row of the channel: `yes`, `alias` (redacted), or why not. */
async function outcome(
  typename: string,
  field: GraphQLField<unknown, unknown>,
  resolve: GraphQLFieldResolver<unknown, unknown>,
  viewer: Viewer,
): Promise<string> {
  const parent = { id: HERE, channelId: HERE, event: { channelId: HERE } };
  const type = schema.getType(typename);
  const path = { key: field.name, prev: undefined, typename };
  // What scope-auth looks at of it; the resolver behind may fail on the rest, which is no refusal.
  const info = { parentType: type, fieldName: field.name, path, schema } as unknown as GraphQLResolveInfo;
  try {
    await resolve(parent, sampleArguments(), contextOf(viewer), info);
  } catch (error) {
    const code = error instanceof GraphQLError ? error.extensions.code : undefined;
    const refusal = typeof code === 'string' ? REFUSALS[code] : undefined;
    if (refusal !== undefined) return refusal;
  }
  const { personal } = field.extensions;
  if (personal !== 'PII_READ' && personal !== 'PII_SCREEN') return 'yes';
  return mayInChannel(viewer, HERE, personal) ? 'yes' : 'alias';
}

function sampleArguments(): object {
  return { id: HERE, channelId: HERE, input: { channelId: HERE }, first: 1 };
}

/** Nothing behind the scopes is to be reached: whatever asks for a service fails. */
function contextOf(viewer: Viewer): AppContext {
  const services = new Proxy(
    { clock: systemClock, audit: UNHEARD },
    {
      get: (target, name) => {
        if (name in target) return target[name as keyof typeof target];
        throw new Error('reached what the scopes guard');
      },
    },
  );
  const requestInfo = { address: null, userAgent: null, origin: null, transport: 'HTTP' };
  const asked = { viewer, reader: viewer, services, staffReads: new Map() };
  return { ...asked, requestInfo, cookies: null, requestId: 'walk', connectionId: 'walk' } as never;
}

/** The audit log around mutations is no part of what is walked. */
const UNHEARD = {
  begin: async () => ({ finish: async () => undefined }),
  finish: async () => undefined,
  record: async () => undefined,
  countRefusal: () => undefined,
  recordPiiRead: async () => undefined,
};

/** One line a field: its name, and what each role gets. */
export async function walk(): Promise<ReadonlyMap<string, readonly string[]>> {
  const table = new Map<string, readonly string[]>();
  const types = Object.values(schema.getTypeMap()).filter(
    (type) => !type.name.startsWith('__') && (isObjectType(type) || isInterfaceType(type)),
  );
  for (const type of types.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!isObjectType(type)) continue; // an interface's fields are resolved by the types that have it
    for (const field of Object.values(type.getFields()).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const subscription = type === schema.getSubscriptionType();
      const resolve = (subscription ? field.subscribe : field.resolve) ?? defaultFieldResolver;
      const cells: string[] = [];
      for (const viewer of Object.values(ROLES)) cells.push(await outcome(type.name, field, resolve, viewer));
      table.set(`${type.name}.${field.name}`, cells);
    }
  }
  return table;
}

/** The table as `docs/access-table.md` shows it: fields of a type that everybody is answered alike stand in one line. */
export function accessTable(table: ReadonlyMap<string, readonly string[]>): string {
  const lines: string[] = [];
  const groups = new Map<string, { readonly cells: readonly string[]; readonly fields: string[] }>();
  for (const [name, cells] of table) {
    const [type = '', field = ''] = name.split('.');
    const key = `${type} ${cells.join('|')}`;
    const group = groups.get(key) ?? { cells, fields: [] };
    group.fields.push(field);
    groups.set(key, group);
  }
  for (const [key, { cells, fields }] of groups) {
    const [type = ''] = key.split(' ');
    lines.push(`| ${type} | ${fields.join(', ')} | ${cells.join(' | ')} |`);
  }
  const names = Object.keys(ROLES);
  return [
    `| type | fields | ${names.join(' | ')} |`,
    `|---|---|${names.map(() => '---').join('|')}|`,
    ...lines,
    '',
  ].join('\n');
}
