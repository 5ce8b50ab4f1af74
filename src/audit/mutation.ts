import type { Viewer } from '../auth/viewer.ts';
import { DependencyError, UserError } from '../errors/errors.ts';
import { type ChannelId, parseId } from '../lib/ids.ts';
import { actorOf } from './actor.ts';
import type { AuditAct, AuditDetails, AuditResult } from './entry.ts';

const ID = /^[a-z]{3}_[0-9a-f]{32}$/;
/** Words of enums: roles, scopes, kinds. */
const WORD = /^[A-Z][A-Z_]{0,39}$/;
/** The fields of inputs whose words are kept. */
const WORD_FIELDS: ReadonlySet<string> = new Set(['role', 'scopes', 'provider', 'kind', 'state']);
/** The fields of inputs whose switches are kept. */
const SWITCH_FIELDS: ReadonlySet<string> = new Set(['withTokens', 'everywhere', 'disabled', 'enabled']);
const LIST_MAX = 20;

type Fields = Readonly<Record<string, unknown>>;

/** What somebody asks to be done, as the log keeps it: of the input only ids, roles, scopes and switches. */
export function actOf(
  action: string,
  {
    viewer,
    input,
    requestId,
  }: { readonly viewer: Viewer; readonly input: unknown; readonly requestId: string },
): AuditAct {
  const fields = fieldsOf(input);
  const channelId = parseId('channel', String(fields.channelId ?? '')) ?? null;
  const details = detailsOf(fields);
  const target = Object.entries(fields).find(
    ([name, value]) => name !== 'channelId' && isIdField(name, value),
  );
  return {
    ...actorOf(viewer, channelId),
    channelId,
    action,
    target: target === undefined ? channelId : String(target[1]),
    requestId,
    details,
  };
}

/** What a result of a mutation says. */
export function outcomeOf(value: unknown): AuditResult {
  const { error } = fieldsOf(value);
  if (error instanceof UserError) return { outcome: 'REFUSED', code: error.code };
  return { outcome: 'DONE', code: null };
}

/** What an error says that a mutation threw. */
export function failureOf(error: unknown): AuditResult {
  if (error instanceof UserError) return { outcome: 'REFUSED', code: error.code };
  if (error instanceof DependencyError) return { outcome: 'FAILED', code: 'UNAVAILABLE' };
  const { code } = fieldsOf(fieldsOf(error).extensions);
  if (typeof code === 'string' && REFUSALS.has(code)) return { outcome: 'REFUSED', code };
  return { outcome: 'FAILED', code: 'INTERNAL' };
}

const REFUSALS: ReadonlySet<string> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'MFA_REQUIRED',
  'STEP_UP_REQUIRED',
]);

/**
 * What was learnt by doing it: who signed in, in which channel it was, what was made, and what ended with it. Nothing of a payload
 * is kept but ids and counts.
 */
export function learntOf(act: AuditAct, value: unknown): Partial<AuditAct> {
  const payload = fieldsOf(value);
  const made = Object.values(payload)
    .map((member) => fieldsOf(member).id)
    .find((id) => typeof id === 'string' && ID.test(id));
  const user = parseId('user', String(fieldsOf(payload.viewer).id ?? ''));
  const signedIn =
    act.actorKind === 'ANONYMOUS' && user !== undefined ? { actorKind: 'USER' as const, actorId: user } : {};
  const target = act.target === null || act.target === act.channelId ? (made ?? act.target) : act.target;
  const madeToo = typeof made === 'string' && made !== target ? { made } : {};
  return {
    ...signedIn,
    channelId: act.channelId ?? channelOf(payload),
    target: typeof target === 'string' ? target : null,
    details: { ...act.details, ...madeToo, ...endedDetails(payload.secretsEnded) },
  };
}

/** The channel that a payload shows, or that the client belongs to which it shows. */
function channelOf(payload: Fields): ChannelId | null {
  const id = fieldsOf(payload.channel).id ?? fieldsOf(payload.client).channelId ?? '';
  return parseId('channel', String(id)) ?? null;
}

/** What a former owner can open no more. */
function endedDetails(value: unknown): AuditDetails {
  const ended = Array.isArray(value) ? value.map(fieldsOf) : [];
  const overlayKeysReplacedOf = ended.flatMap(({ overlayKeyReplacedOf: id }) =>
    typeof id === 'string' && ID.test(id) ? [id] : [],
  );
  const clientKeysRevoked = ended.reduce((sum, { clientKeysRevoked: count }) => sum + Number(count), 0);
  return overlayKeysReplacedOf.length === 0 ? {} : { overlayKeysReplacedOf, clientKeysRevoked };
}

function detailsOf(fields: Fields): AuditDetails {
  const kept = Object.entries(fields).flatMap(([name, value]): [string, AuditDetails[string]][] => {
    if (typeof value === 'string' && (isIdField(name, value) || isWordField(name, value)))
      return [[name, value]];
    if (typeof value === 'boolean' && SWITCH_FIELDS.has(name)) return [[name, value]];
    if (!Array.isArray(value)) return [];
    const words = value
      .slice(0, LIST_MAX)
      .filter((item): item is string => typeof item === 'string')
      .filter((item) => isWordField(name, item) || (name.endsWith('Ids') && ID.test(item)));
    return words.length === 0 ? [] : [[name, words]];
  });
  return Object.fromEntries(kept);
}

function isIdField(name: string, value: unknown): boolean {
  return (name === 'id' || name.endsWith('Id')) && typeof value === 'string' && ID.test(value);
}

function isWordField(name: string, value: string): boolean {
  return WORD_FIELDS.has(name) && WORD.test(value);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
