import { readFileSync } from 'node:fs';

/** Where the meaning of every error code can be read. */
export const ERROR_PAGE_PATH = '/docs/errors';

/** Where a code is explained, as a reference from our own address. Stands in the `extensions` of every error. */
export function errorDocs(code: string): string {
  return `${ERROR_PAGE_PATH}#${code}`;
}

/** `docs/errors.md` as a page: headings, paragraphs and code; a section's anchor is its code. Read once, at the start. */
export function loadErrorPage(): string {
  const markdown = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const blocks = markdown.split(/\n{2,}/).map(blockHtml);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Errors of Tallylight</title>${blocks.join('\n')}</html>\n`;
}

function blockHtml(block: string): string {
  const heading = /^(#{1,3}) (.+)$/.exec(block.trim());
  if (heading === null) return `<p>${inlineHtml(block)}</p>`;
  const [, marks = '', text = ''] = heading;
  const code = /^`([A-Z_]+)`$/.exec(text)?.[1];
  const anchor = code === undefined ? '' : ` id="${code}"`;
  return `<h${marks.length}${anchor}>${inlineHtml(text)}</h${marks.length}>`;
}

/** Code stays code; a link to another of our documents, which are not served, stays its text. */
function inlineHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}
