import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';

/** What every bench understands on its command line. */
export interface BenchArguments {
  /** Smaller sizes, for a look within a minute. */
  readonly quick: boolean;
}

/**
 * Reads a bench's arguments: `--quick`, nothing else.
 * @throws TypeError (of `node:util`) naming the argument that is not known.
 */
export function parseBenchArguments(argv: readonly string[]): BenchArguments {
  const { values } = parseArgs({ args: [...argv], options: { quick: { type: 'boolean', default: false } } });
  return { quick: values.quick };
}

/** The value below which `p` (0 to 1) of `values` lie, by nearest rank; NaN of nothing. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(p * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle of `values`: the mean of the two middle ones where their number is even; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** `value` rounded to `digits` after the point, so that results read well and diffs stay small. */
export function rounded(value: number, digits = 2): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}

/** Prints rows as an aligned table on standard output; the keys of the first row are the head. */
export function printTable(rows: readonly Readonly<Record<string, string | number>>[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  for (const line of cells) {
    const text = line.map((cell, index) =>
      index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
    );
    process.stdout.write(`${text.join('  ').trimEnd()}\n`);
  }
}

/** What a bench leaves behind. */
export interface BenchResults {
  /** The numbers that bars are held against: flat, named as in the docs. */
  readonly figures: Readonly<Record<string, number>>;
  /** Everything else worth keeping: sizes, single measurements, settings. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Writes `bench/results/<name>.json` with the machine it ran on, and says where on standard output. */
export async function writeResults(name: string, results: BenchResults): Promise<void> {
  const directory = new URL('../results/', import.meta.url);
  await mkdir(directory, { recursive: true });
  const machine = {
    cpus: cpus().length,
    memoryGb: rounded(totalmem() / 2 ** 30, 1),
    node: process.version,
  };
  const text = JSON.stringify({ figures: results.figures, details: results.details, machine }, null, 2);
  await writeFile(new URL(`${name}.json`, directory), `${text}\n`);
  process.stdout.write(`\nwritten to bench/results/${name}.json\n`);
}
