import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(path, 'utf8');

/** Cells of every table row whose first cell is code or an id. */
function rows(markdown: string): readonly (readonly string[])[] {
  return markdown
    .split('\n')
    .filter((line) => /^\| *(?:`|T-)/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('the documents', () => {
  it('have a line for each dependency, and no line for what is none', () => {
    const manifest = JSON.parse(read('package.json'));
    const declared = [manifest.dependencies, manifest.optionalDependencies, manifest.devDependencies].flatMap(
      (part) => Object.keys(part),
    );
    const documented = rows(read('docs/dependencies.md')).map(([name]) => (name ?? '').replaceAll('`', ''));
    expect([...documented].sort()).toEqual([...declared].sort());
  });

  it('show the settings as the code has them', () => {
    execFileSync(process.execPath, ['scripts/env-example.ts', '--check'], { stdio: 'pipe' });
  });

  it('link to files that exist', () => {
    const pages = ['README.md', ...globSync('docs/**/*.md')];
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => normalize(join(dirname(page), match[1] ?? '')))
        .filter((target) => !existsSync(target))
        .map((target) => `${page} → ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name a test, tagged with its id, for each threat that is called answered', () => {
    const tests = globSync('tests/**/*.test.ts').map(read).join('\n');
    const threats = rows(read('docs/threat-model.md'));
    const answered = threats.filter(([, , state]) => state === 'answered').map(([id]) => id ?? '');
    expect(answered.length).toBeGreaterThan(10);
    expect(answered.filter((id) => !tests.includes(`[${id}]`))).toEqual([]);
  });

  it('explain every error code, and none that does not exist', () => {
    const sources = globSync('src/**/*.ts').map(read).join('\n');
    const declared = [...sources.matchAll(/readonly code = '([A-Z_]+)'/g)].map((match) => match[1] ?? '');
    const sections = read('docs/errors.md').matchAll(/^### `([A-Z_]+)`$/gm);
    const documented = [...sections].map((match) => match[1] ?? '');
    expect(declared.filter((code) => !documented.includes(code))).toEqual([]);
    expect(
      documented.filter((code) => !sources.includes(`'${code}'`) && !sources.includes(`${code}:`)),
    ).toEqual([]);
    expect(new Set(documented).size).toBe(documented.length);
  });

  it('list every threat once, and call none answered whose files are gone', () => {
    const threats = rows(read('docs/threat-model.md'));
    const ids = threats.map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const named = threats.flatMap((cells) => [
      ...cells.join(' ').matchAll(/`((?:src|tests|scripts)\/[^`*]+)`/g),
    ]);
    expect(named.map((match) => match[1] ?? '').filter((path) => !existsSync(path))).toEqual([]);
  });
});
