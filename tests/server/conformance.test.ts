import { readFileSync } from 'node:fs';
import { auditServer } from 'graphql-http';
import { afterAll, describe, expect, it } from 'vitest';
import { startApiFixture } from './api-fixture.ts';

const cleanup = new AsyncDisposableStack();
afterAll(() => cleanup.disposeAsync());

/** Every audit of GraphQL over HTTP, as somebody unknown who may write documents sends it: its id and outcome. */
async function audit(conformance: boolean): Promise<readonly (readonly [string, string, string])[]> {
  const fixture = cleanup.use(
    await startApiFixture(conformance ? { conformance: { get: true, introspection: true } } : {}),
  );
  const results = await auditServer({
    url: `${fixture.url}/graphql`,
    fetchFn: (url: string, init: RequestInit = {}) =>
      fetch(url, { ...init, headers: { ...init.headers, 'x-tallylight-csrf': '1' } }),
  });
  return results.map(({ id, name, status }) => [id, status, name] as const);
}

describe('GraphQL over HTTP', () => {
  it('is spoken in every point that is audited, with GET and the schema open', async () => {
    const results = await audit(true);
    expect(results.filter(([, status]) => status !== 'ok')).toEqual([]);
    expect(results).toHaveLength(61);
  });

  it('is spoken in production but for what the documents explain', async () => {
    const results = await audit(false);
    const different = results.filter(([, status]) => status !== 'ok').map(([id]) => id);
    const explained = [...readFileSync('docs/limits.md', 'utf8').matchAll(/^\| `([0-9A-F]{4})`/gm)].map(
      ([, id]) => id,
    );
    expect(different.toSorted()).toEqual(explained.toSorted());
    expect(results).toHaveLength(61);
  });

  it('[T-D2] never carries out a mutation by GET, even with GET open', async () => {
    const fixture = cleanup.use(await startApiFixture({ conformance: { get: true, introspection: true } }));
    const query = 'mutation { channelConnect(input: { handle: "@by.get" }) { __typename } }';
    const response = await fetch(`${fixture.url}/graphql?query=${encodeURIComponent(query)}`, {
      headers: { authorization: `Bearer ${fixture.operatorKey}` },
    });
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('POST')]);
    const { data } = await fixture.ask('{ channelByHandle(handle: "@by.get") { id } }');
    expect(data).toEqual({ channelByHandle: null });
  });
});
