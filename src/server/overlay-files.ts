import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { assert } from '../lib/assert.ts';

/** The overlay is small; more than this is a wrong directory. Bytes. */
const FILES_BYTES_MAX = 4 * 1024 * 1024;

/** What may be in the directory. Other files are not served. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.ico': 'image/x-icon',
};

interface File {
  readonly mediaType: string;
  readonly content: Buffer;
  readonly etag: string;
}

/** The overlay's files by their path below `/overlay/`, with `/`; `` stands for `index.html`. */
export type OverlayFiles = ReadonlyMap<string, File>;

/**
 * Reads the directory, once: what is served later is looked up by name in memory, so that no path of a request ever
 * reaches the file system.
 */
export async function loadOverlayFiles(directory: string): Promise<OverlayFiles> {
  const files = new Map<string, File>();
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const mediaType = MEDIA_TYPES[path.extname(entry.name)];
    if (!entry.isFile() || mediaType === undefined) continue;
    const filePath = path.join(entry.parentPath, entry.name);
    const content = await readFile(filePath);
    bytes += content.length;
    assert(bytes <= FILES_BYTES_MAX, `the overlay's files are ${FILES_BYTES_MAX} bytes at most`);
    const etag = `"${createHash('sha256').update(content).digest('base64url')}"`;
    files.set(path.relative(directory, filePath).split(path.sep).join('/'), { mediaType, content, etag });
  }
  const index = files.get('index.html');
  if (index !== undefined) files.set('', index);
  return files;
}

/** Answers with a file, 304 when the browser has it already, or 404. `name` is the path below `/overlay/`. */
export function serveOverlayFile(
  files: OverlayFiles,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const file = files.get(name);
  if (file === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found.\n');
    return;
  }
  // Asked for again each time, so that an upgrade shows at once; unchanged files are not sent again.
  response.setHeader('cache-control', 'no-cache');
  response.setHeader('etag', file.etag);
  if (request.headers['if-none-match'] === file.etag) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, { 'content-type': file.mediaType, 'content-length': file.content.length });
  response.end(request.method === 'HEAD' ? undefined : file.content);
}
