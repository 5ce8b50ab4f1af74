/** A document with its variables, which nobody may run. */
export interface AttackDocument {
  readonly query: string;
  readonly variables?: object;
}

/** A body that is no proper request, as it is sent, and how it is answered. */
export interface AttackBody {
  readonly text: string;
  readonly mediaType: string;
  readonly status: number;
}

/** So many of a thing, in one text. */
export const many = (count: number, item: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => item(index)).join(' ');
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const levels = (depth: number, inner: string): string =>
  depth === 0 ? inner : `channel { streams { edges { node { ${levels(depth - 1, inner)} } } } }`;
const CIRCLE = 'fragment a on Query { ...b } fragment b on Query { ...a }';
const PAGE = 'query ($n: Int) { channels(first: $n) { edges { cursor } } }';
const EVENTS_BY_TYPE =
  'query ($t: [EventType!]) { channel(id: "x") { events(filter: { types: $t }) { edges { cursor } } } }';

/** Documents that no transport may run. */
export const ATTACK_DOCUMENTS: Readonly<Record<string, AttackDocument>> = {
  'aliases of __typename': { query: `{ ${many(100, (index) => `a${index}: __typename`)} }` },
  'aliases of a field': { query: `{ ${many(100, (index) => `a${index}: channels { edges { cursor } }`)} }` },
  'directives on a field': { query: `{ __typename ${'@include(if: true) '.repeat(10)} }` },
  'directives that are unknown': { query: `{ __typename ${'@aa '.repeat(490)} }` },
  'circular fragments': { query: `{ ...a } ${CIRCLE}` },
  'a fragment that is its own': { query: '{ ...a } fragment a on Query { __typename ...a ...a ...a }' },
  'fragments that unfold': {
    query: `{ ...f0 } ${many(40, (index) => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`)} fragment f40 on Query { __typename nothing }`,
  },
  'fragments that unfold into aliases': {
    query: `{ ...f0 } ${many(30, (index) => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`)} fragment f30 on Query { a: __typename }`,
  },
  depth: { query: `{ channels { edges { node { streams { edges { node { ${levels(6, 'id')} } } } } } } }` },
  'fields that may conflict': { query: `{ ${many(240, () => 'viewer { nothing }')} }` },
  'fields of fragments that may conflict': {
    query: `{ ${many(16, (index) => `...f${index}`)} } ${many(16, (index) => `fragment f${index} on Query { ${many(12, () => 'viewer { nothing }')} }`)}`,
  },
  'as many fields as may be': {
    query: `{ ${many(48, () => 'viewer { id } node(id: "a") { id } channels { pageInfo { hasNextPage } }').slice(0, 3_000)} nothing }`,
  },
  'fields that conflict': { query: `{ ${many(105, (index) => `channel(id: "${index}") { id }`)} }` },
  'the schema': { query: '{ __schema { types { fields { type { fields { name } } } } } }' },
  'a field almost right': { query: '{ chanels { edges { cursor } } }' },
  'many fields almost right': { query: `{ ${many(990, (index) => `chanel${index}`)} }` },
  'an enum value almost right': {
    query: `{ channel(id: "x") { events(filter: { types: [GIFTT] }) { edges { cursor } } } }`,
  },
  'an enum variable almost right': { query: EVENTS_BY_TYPE, variables: { t: ['GIFTT'] } },
  'an argument almost right': { query: '{ channels(frist: 1) { edges { cursor } } }' },
  'a type almost right': { query: '{ ... on Querry { __typename } }' },
  'an input field almost right': {
    query: 'query ($f: EventFilter) { channel(id: "x") { events(filter: $f) { edges { cursor } } } }',
    variables: { f: { typess: [] } },
  },
  'a negative page': { query: '{ channels(first: -5) { edges { cursor } } }' },
  'a huge page': { query: '{ channels(first: 2000000000) { edges { cursor } } }' },
  'a negative page by variable': { query: PAGE, variables: { n: -5 } },
  'a huge page by variable': { query: PAGE, variables: { n: 1_000_000 } },
  'pages of pages': {
    query:
      'query ($n: Int) { channels(first: $n) { edges { node { streams(first: $n) { edges { cursor } } } } } }',
    variables: { n: 100 },
  },
  'a document of tokens': { query: `{ ${'__typename '.repeat(10_000)}}` },
  'a deep list': { query: `{ channel(id: ${nested(400)}) { id } }` },
  'a long document': { query: `{ nothing ${' '.repeat(120_000)} }` },
  'variables that are many': {
    query: EVENTS_BY_TYPE,
    variables: { t: Array.from({ length: 1_900 }, () => 'NONE') },
  },
  'ids that are many': {
    query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    variables: { ids: Array.from({ length: 1_900 }, (_, index) => `c${index}`) },
  },
};

/** The same, as a subscription. */
export function asSubscription(attack: AttackDocument): AttackDocument {
  return { ...attack, query: attack.query.replace(/^(query )?/, 'subscription ') };
}

/** Requests that are none, or come in a way that none may. */
export const ATTACK_BODIES: Readonly<Record<string, AttackBody>> = {
  'a batch': {
    text: '[{"query":"{ __typename }"},{"query":"{ __typename }"}]',
    mediaType: 'application/json',
    status: 400,
  },
  'a large batch': {
    text: JSON.stringify(Array.from({ length: 4_000 }, () => ({ query: '{ __typename }' }))),
    mediaType: 'application/json',
    status: 400,
  },
  'a form': {
    text: 'query=%7B__typename%7D',
    mediaType: 'application/x-www-form-urlencoded',
    status: 415,
  },
  'a form with files': {
    text: '--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{"query":"{ __typename }"}\r\n--x--\r\n',
    mediaType: 'multipart/form-data; boundary=x',
    status: 415,
  },
  text: { text: '{"query":"{ __typename }"}', mediaType: 'text/plain', status: 415 },
  'deep variables': {
    text: `{"query":"{ __typename }","variables":{"a":${nested(50_000)}}}`,
    mediaType: 'application/json',
    status: 400,
  },
  'too many values': {
    text: JSON.stringify({
      query: EVENTS_BY_TYPE,
      variables: { t: Array.from({ length: 15_000 }, () => 'CHAT') },
    }),
    mediaType: 'application/json',
    status: 400,
  },
  'deep JSON that is none': { text: '['.repeat(120_000), mediaType: 'application/json', status: 400 },
  'a huge body': {
    text: JSON.stringify({ query: '{ __typename }', variables: { a: 'x'.repeat(5_000_000) } }),
    mediaType: 'application/json',
    status: 413,
  },
};
