import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { createDocumentCheck } from '../../src/server/document-check.ts';
import { loadFirstParty } from '../../src/server/first-party-operations.ts';
import { OVERLAY_EVENTS, OVERLAY_STREAM } from '../../web/overlay/operations.js';

const WEB = path.resolve(import.meta.dirname, '../../web');
const firstParty = await loadFirstParty({
  overlayDirectory: path.join(WEB, 'overlay'),
  consoleDirectory: path.join(WEB, 'console'),
});

/** What people look at: their account, sign-ins, tokens and factors; teams and clients; and administrators users and the log. */
const CONSOLE_QUERIES = [
  'AuditEntries',
  'ChannelClients',
  'ChannelInvitations',
  'ChannelOverlay',
  'ChannelTeam',
  'Channels',
  'Client',
  'Clients',
  'SecondFactors',
  'TokenFamilies',
  'Users',
  'Viewer',
  'ViewerMemberships',
  'ViewerSessions',
];

describe('the operations of our own pages', () => {
  it('have the ids that the overlay sends', () => {
    const ids = Object.fromEntries([...firstParty.overlay.values()].map(({ name, hash }) => [name, hash]));
    // When this fails after a change of a file: put its sha256 into web/overlay/operations.js.
    expect(ids).toEqual({ OverlayEvents: OVERLAY_EVENTS, OverlayStream: OVERLAY_STREAM });
  });

  it('[T-I5] pass every check that an integrator has to pass, and are called as their files', () => {
    const check = createDocumentCheck(schema);
    for (const { name, document } of [...firstParty.overlay.values(), ...firstParty.console.values()]) {
      expect([name, check(document)]).toEqual([name, { kind: 'GOOD', name }]);
    }
  });

  it('are all that a console needs: every mutation but those of replays, each list, and what a page shows of one thing', () => {
    const registered = new Set([...firstParty.console.values()].map(({ name }) => name));
    const mutations = Object.keys(schema.getMutationType()?.getFields() ?? {}).map(
      (name) => `${name[0]?.toUpperCase()}${name.slice(1)}`,
    );
    // Replays are run on the command line.
    expect(mutations.filter((name) => !registered.has(name))).toEqual([
      'SessionReplay',
      'SessionReplayCancel',
    ]);
    const queries = [...firstParty.console.values()].filter(({ document }) => document.startsWith('query '));
    expect(queries.map(({ name }) => name)).toEqual(expect.arrayContaining([...CONSOLE_QUERIES]));
  });

  it('are sent by the page and never as documents', async () => {
    const script = await readFile(path.join(WEB, 'overlay/overlay.js'), 'utf8');
    expect(script).not.toMatch(/subscription |query: /);
  });
});
