import { setImmediate as otherWork } from 'node:timers/promises';
import { ANONYMOUS } from '../auth/viewer.ts';
import type { FirstPartyOperations } from '../clients/registered-operations.ts';
import type { Services } from '../context.ts';
import { Deposits } from '../limits/deposits.ts';
import { createInProcessLimiter } from '../limits/in-process-limiter.ts';
import { type Caller, createGraphqlServer, GRAPHQL_PATH, type GraphqlOptions } from './graphql.ts';
import { judgeOperation } from './operation-guard.ts';
import { Pledge } from './pledge.ts';

/** How often each document goes through. Measured: with fewer the first wrong document took twice as long. */
const ROUNDS = 12;

/** A document that is wrong in as many ways as there are rules: what it calls is what attackers make us run. */
const WRONG = `query ($a: Nothing, $b: Int, $b: Int) {
  ${Array.from({ length: 40 }, (_, index) => `nothing${index} @nothing(is: [{ right: "here" }])`).join(' ')}
  channels(frist: "x", first: null) { edges { cursor(a: 1) ...a ...b ...c } }
  same: channels(first: 1) { edges { cursor } }
  same: channels(first: 2) { edges { cursor } }
}
fragment a on Channel { ...b id { deeper { still } } }
fragment b on Nothing { ...a ... on Query { __typename } }`;

/**
 * Puts documents through reading, checking and judging before anybody asks: the first request would otherwise wait while the engine
 * compiles what it runs for the first time (it held the process up for 90 ms, a wrong one for 300). Nothing of them is carried out, and
 * nobody's buckets are touched.
 */
export async function warmUp(
  services: Services,
  options: GraphqlOptions,
  firstParty: FirstPartyOperations,
): Promise<void> {
  const limiter = createInProcessLimiter(services);
  const deposits = new Deposits({ limiter, clock: services.clock });
  const graphql = createGraphqlServer(
    { ...services, limiter },
    { ...options, deposits, freeForm: 'anybody' },
  );
  const caller = (): Caller => ({
    viewer: ANONYMOUS,
    info: { address: null, userAgent: null, origin: null, transport: 'HTTP' },
    cookies: null,
    requestId: 'warm-up',
    connectionId: 'warm-up',
    pledge: new Pledge({ deposits, rules: options.costRules }, { viewer: ANONYMOUS, address: null }),
  });
  const documents = [...firstParty.overlay.values(), ...firstParty.console.values()].map(
    ({ document }) => document,
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const query of [WRONG, '{ __typename', '{ __typename }']) {
      // What was seen before is remembered: a comment makes it another document.
      const body = JSON.stringify({ query: `#${round}\n${query}`, variables: { b: round } });
      const headers = { 'content-type': 'application/json', accept: ACCEPTED[round % ACCEPTED.length] ?? '' };
      const url = `http://warm.up${GRAPHQL_PATH}`;
      const answer = await graphql.fetch(url, { method: 'POST', headers, body }, caller());
      await answer.text();
      await otherWork();
    }
    for (const document of documents) {
      const { schema, parse, validate, contextFactory } = graphql.getEnveloped(caller());
      const parsed = parse(`#${round}\n${document}`);
      validate(schema, parsed);
      const contextValue = await contextFactory();
      judgeOperation({ schema, document: parsed, variableValues: {}, contextValue }, options);
      await otherWork();
    }
  }
  limiter.close();
}

const ACCEPTED = ['application/json', 'text/event-stream', 'application/graphql-response+json'];
