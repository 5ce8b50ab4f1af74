import { expect, it } from 'vitest';
import { parsedName } from '../../src/lib/name.ts';

it.each([
  ['  Ann  ', 'Ann'],
  ['Ange\u0301lique', 'Ang\u00e9lique'],
  ['👩‍🚀 board', '👩‍🚀 board'],
  ['𝒜'.repeat(80), '𝒜'.repeat(80)],
  ['x'.repeat(81), null],
  ['', null],
  [' \t ', null],
  ['two\nlines', null],
  ['two\u2028lines', null],
  ['nul\0', null],
  ['evil\u202egnp.exe', null],
  ['\u2066hidden', null],
])('takes %j as %j', (text, name) => {
  expect(parsedName(text)).toBe(name);
});
