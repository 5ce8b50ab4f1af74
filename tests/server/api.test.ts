import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApiFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe('the API', () => {
  it('answers the owner', async () => {
    const { id } = await fixture.channel('tally.light');
    const answer = await fixture.ask(
      'query($id: ID!) { channel(id: $id) { id handle connection { state } overlayUrl streams { edges { node { id } } } } }',
      { id },
    );
    expect(answer).toEqual({ data: { channel: { id } } });
  });
});
