/** How JSON text may be shaped. */
export interface JsonShape {
  readonly depthMax: number;
  /** Values of all lists and objects together, give or take one for each. */
  readonly valuesMax: number;
}

/**
 * What of the shape JSON text breaks, found without parsing it: what walks a parsed value recursively later would run out of stack, and
 * what looks at each value would hold everybody else up. Text that is not JSON gets some answer; the parser refuses it anyway.
 */
export function brokenShape(text: string, { depthMax, valuesMax }: JsonShape): keyof JsonShape | null {
  let depth = 0;
  let values = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === BACKSLASH) index += 1;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === COMMA) {
      values += 1;
      if (values > valuesMax) return 'valuesMax';
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      if (depth > depthMax) return 'depthMax';
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
  }
  return null;
}

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
