import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { UserError } from '../../errors/errors.ts';
import { FIXTURE_LINE_CHARS_MAX, FixtureLineError, parseFixtureLine } from '../../ingest/fixture.ts';
import type { SourceMessage } from '../../ingest/live-source.ts';

/** Days one file may span: each needs a partition. */
export const FIXTURE_DAYS_MAX = 31;
const DAY_MS = 24 * 60 * 60 * 1000;

/** The file cannot be read. */
export class FixtureFileError extends UserError {
  override readonly name = 'FixtureFileError';
  readonly code = 'FIXTURE_FILE_UNREADABLE';
}

/** The messages of the file lie further apart than one replay may span. */
export class FixtureSpanError extends UserError {
  override readonly name = 'FixtureSpanError';
  readonly code = 'FIXTURE_SPAN_TOO_LONG';

  constructor() {
    super(`The messages of the fixture fall on more than ${FIXTURE_DAYS_MAX} days.`);
  }
}

/**
 * Reads the whole file: what it is, how much of it there is, and whether every line is a message. `days` are the days (UTC,
 * counted from the Unix epoch) on which messages arrived.
 * @throws FixtureFileError
 * @throws FixtureLineError
 * @throws FixtureSpanError
 */
export async function inspectFixture(
  path: string,
  startedAt: number,
): Promise<{ readonly sha256: string; readonly messages: number; readonly days: ReadonlySet<number> }> {
  const hash = createHash('sha256');
  const days = new Set<number>();
  let messages = 0;
  for await (const message of readFixture(path, startedAt, (chunk) => hash.update(chunk))) {
    messages += 1;
    days.add(Math.floor(message.receivedAt / DAY_MS));
    if (days.size > FIXTURE_DAYS_MAX) throw new FixtureSpanError();
  }
  return { sha256: hash.digest('hex'), messages, days };
}

/**
 * The messages of the file, in order. `defaultReceivedAt`: when one without a time of its own is taken to have arrived.
 * @throws FixtureFileError
 * @throws FixtureLineError
 */
export async function* readFixture(
  path: string,
  defaultReceivedAt: number,
  onChunk?: (chunk: Buffer) => void,
): AsyncGenerator<SourceMessage> {
  let lineNumber = 0;
  for await (const line of readLines(path, onChunk)) {
    lineNumber += 1;
    if (line.trim() !== '') yield parseFixtureLine(line, { lineNumber, defaultReceivedAt });
  }
}

/** The file's lines, without ever holding more of it than one line and one chunk. */
async function* readLines(path: string, onChunk?: (chunk: Buffer) => void): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8'); // a chunk may end within a character
  let rest = '';
  let lines = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      onChunk?.(chunk);
      const parts = (rest + decoder.write(chunk)).split('\n');
      rest = parts.pop() ?? '';
      lines += parts.length;
      if (rest.length > FIXTURE_LINE_CHARS_MAX) throw new FixtureLineError(lines + 1, 'it is too long');
      yield* parts;
    }
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw new FixtureFileError(`The fixture ${path} cannot be read.`, { cause: error });
  }
  if (rest !== '') yield rest;
}
