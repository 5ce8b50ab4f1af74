import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';

/** Parts of names of what would help whoever took over a sign-in: none of these may go without a fresh factor. */
const DANGEROUS =
  /^(?:totp|passkey(?!Rename)|recoveryCodes|accountDelete$|emailChange$|passwordChange$|tokenCreate$|clientKeyCreate$|externalIdentity|staffAccessOpen$|channelTransfer|userRoleSet|platformRole)/;
/** They take the password themselves, in the same input. */
const BY_PASSWORD = new Set(['accountDelete', 'emailChange', 'passwordChange']);

describe('mutations that need a fresh factor', () => {
  const fields = Object.values(schema.getMutationType()?.getFields() ?? {});
  const declared = fields.filter(({ extensions }) => demandsFresh(extensions.pothosOptions));
  const names = declared.map(({ name }) => name).toSorted();

  it('[T-S4] are those that the documents list', () => {
    const text = readFileSync('docs/security.md', 'utf8');
    const section = text.split('## What asks for a fresh factor')[1]?.split('\n## ')[0] ?? '';
    const listed = [...section.matchAll(/`([a-zA-Z]+)`/g)].map(([, name]) => name ?? '');
    expect(listed.toSorted()).toEqual(names);
  });

  it('[T-S4] are all that a stolen sign-in could be used for to keep the account', () => {
    const dangerous = fields.map(({ name }) => name).filter((name) => DANGEROUS.test(name));
    expect(dangerous.filter((name) => !names.includes(name) && !BY_PASSWORD.has(name))).toEqual([]);
    expect(dangerous.length).toBeGreaterThan(5);
  });
});

/** Pothos keeps the options a field was declared with. */
function demandsFresh(options: unknown): boolean {
  if (typeof options !== 'object' || options === null || !('authScopes' in options)) return false;
  const scopes = options.authScopes;
  if (typeof scopes !== 'object' || scopes === null || !('$all' in scopes)) return false;
  const all = scopes.$all;
  return typeof all === 'object' && all !== null && 'fresh' in all;
}
