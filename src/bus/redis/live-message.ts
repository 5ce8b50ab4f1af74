import { type ParsedEntry, parseLiveMessage } from './event-entry.ts';

/** A message of a live channel. Its events are parsed once, by the first listener that asks, and shared by all. */
export class LiveMessage {
  readonly text: string;
  #entries: readonly ParsedEntry[] | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get entries(): readonly ParsedEntry[] {
    this.#entries ??= parseLiveMessage(this.text);
    return this.#entries;
  }
}
