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

  it('are sent by the page and never as documents', async () => {
    const script = await readFile(path.join(WEB, 'overlay/overlay.js'), 'utf8');
    expect(script).not.toMatch(/subscription |query: /);
  });
});
