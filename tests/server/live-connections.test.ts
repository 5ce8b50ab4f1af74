import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Access, createAccess } from '../../src/auth/access.ts';
import { accessKeyCredential } from '../../src/auth/access-key-credential.ts';
import { authenticate, rotateOverlayKey } from '../../src/auth/access-keys.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { LIVE_CONNECTIONS_PER_KEY_MAX } from '../../src/server/limits.ts';
import { LiveConnections } from '../../src/server/live-connections.ts';
import { waitFor } from '../support/wait.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';

let fixture: ApiFixture;
let access: Access;
let connections: LiveConnections;
beforeAll(async () => {
  fixture = await startApiFixture();
  access = await createAccess({ bus: fixture.bus, clock: systemClock }, [accessKeyCredential(fixture)]);
  connections = new LiveConnections({
    access,
    bus: fixture.bus,
    clock: systemClock,
    logger: createLogger('silent'),
  });
  await connections.start();
});
afterAll(async () => {
  await connections.stop();
  await access.stop();
  await fixture[Symbol.asyncDispose]();
});

describe('live connections', () => {
  it('[T-D3] are limited per key, and leave their place to others', () => {
    const someone = () => ({ kind: 'OPERATOR' as const, accessKeyId: newId('accessKey', 1) });
    const viewer = someone();
    const open = () => connections.add({ viewer, cutOff: () => undefined });
    const leaves = Array.from({ length: LIVE_CONNECTIONS_PER_KEY_MAX }, open);
    expect(leaves.includes(null)).toBe(false);
    expect(open()).toBeNull();
    expect(connections.add({ viewer: someone(), cutOff: () => undefined })).not.toBeNull();
    leaves[0]?.();
    leaves[1] = open();
    expect(leaves[1]).not.toBeNull();
    for (const leave of leaves) leave?.();
  });

  it('of a revoked key are cut off, all of them and once; others stay', async () => {
    const [gone, kept] = [await fixture.channel('cut.gone'), await fixture.channel('cut.kept')];
    const cut: string[] = [];
    // Told while there is nothing to look at, which must not end the looking.
    await fixture.bus.notify('access', '');
    for (const [name, { overlayKey }] of Object.entries({ gone, kept })) {
      const viewer = await authenticate(fixture, overlayKey);
      if (viewer === null) throw new Error('the key is valid');
      for (const index of [1, 2]) {
        connections.add({ viewer, cutOff: () => cut.push(`${name} ${index}`) });
      }
    }
    const clock = { nowMs: () => 1 };
    await Promise.all([1, 2, 3].map(() => rotateOverlayKey({ ...fixture, clock }, gone.id)));
    await waitFor(() => cut.length === 2);
    await rotateOverlayKey({ ...fixture, clock }, gone.id);
    await fixture.bus.notify('access', '');
    expect(cut).toEqual(['gone 1', 'gone 2']);
  });
});
