/** An answer of one of the simulator's HTTP routes. */
export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** A JSON answer. */
export function json(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): WebAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** A page with the given content. */
export function html(status: number, content: string): WebAnswer {
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!doctype html><title>Simulated</title>${content}`,
  };
}
