import { describe, expect, it } from 'vitest';
import { lockedPackages, refusedLicences, type TreePackage } from '../../scripts/licences.ts';

const packageUnder = (licence: string | null, buildToolOnly = false): TreePackage => ({
  name: 'example',
  version: '1.2.3',
  licence,
  buildToolOnly,
});

describe('the licence check', () => {
  it.each([
    'AGPL-3.0-only',
    'GPL-3.0-or-later',
    'SSPL-1.0',
    'BUSL-1.1',
    'SEE LICENSE IN LICENSE.md',
    'UNLICENSED',
    'MIT AND GPL-3.0-only',
    '(MIT',
    '',
    'MPL-2.0',
  ])('refuses a shipped package under %j [T-T8]', (licence) => {
    expect(refusedLicences([packageUnder(licence)])).toEqual([
      `example@1.2.3 is under ${licence}, which is not on the list for what we ship`,
    ]);
  });

  it('refuses an AGPL package among the build tools too [T-T8]', () => {
    expect(refusedLicences([packageUnder('AGPL-3.0-only', true)])).toHaveLength(1);
  });

  it('refuses a package that names no licence [T-T8]', () => {
    expect(refusedLicences([packageUnder(null)])).toEqual(['example@1.2.3 names no licence']);
  });

  it.each(['MIT', '(MIT OR GPL-3.0-only)', '(MIT AND (ISC OR AGPL-3.0-only))', 'Apache-2.0'])(
    'accepts %j',
    (licence) => {
      expect(refusedLicences([packageUnder(licence)])).toEqual([]);
    },
  );

  it('accepts MPL-2.0 in a build tool', () => {
    expect(refusedLicences([packageUnder('MPL-2.0', true)])).toEqual([]);
  });

  it('finds nothing to refuse in our own tree, of which it reads every package [T-T8]', () => {
    const packages = lockedPackages('.');
    expect(packages.length).toBeGreaterThan(300);
    expect(packages.find(({ name }) => name === 'tiktok-live-connector')).toEqual({
      name: 'tiktok-live-connector',
      version: '2.4.0',
      licence: 'MIT',
      buildToolOnly: false,
    });
    expect(refusedLicences(packages)).toEqual([]);
  });
});
