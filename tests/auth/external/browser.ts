import { randomInt } from 'node:crypto';

interface Cookie {
  readonly value: string;
  readonly attributes: string;
}

/** Where a browser has come to. */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
}

/**
 * A browser as far as cookies and redirects go: it keeps cookies by origin, takes and forgets them as it is told, and sends those that
 * are `Strict` along with nothing that another site began. Comes from an address of its own.
 */
export class Browser {
  readonly #jar = new Map<string, Map<string, Cookie>>();
  readonly address = `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}`;
  readonly home: string;

  constructor(home: string) {
    this.home = home;
  }

  /** A cookie of ours, with all its attributes; undefined when there is none. */
  cookie(name: string): Cookie | undefined {
    return this.#jar.get(this.home)?.get(name);
  }

  setCookie(origin: string, name: string, value: string): void {
    this.#cookiesOf(origin).set(name, { value, attributes: '' });
  }

  /** One request, its redirect not followed. `from`: the origin that sent the browser there; its own by default. */
  async request(
    target: string | URL,
    { from, method = 'GET' }: { readonly from?: string; readonly method?: string } = {},
  ): Promise<Response> {
    const url = new URL(target, this.home);
    const crossSite = from !== undefined && from !== url.origin;
    const sent = [...this.#cookiesOf(url.origin)]
      .filter(([, { attributes }]) => !(crossSite && attributes.includes('SameSite=Strict')))
      .map(([name, { value }]) => `${name}=${value}`);
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { 'x-forwarded-for': this.address, ...(sent.length === 0 ? {} : { cookie: sent.join('; ') }) },
    });
    this.#take(url.origin, response);
    return response;
  }

  /** Goes somewhere and follows redirects until `until` says that it is there, or there are none. */
  async go(
    target: string | URL,
    { from, until = () => false }: { readonly from?: string; readonly until?: (url: URL) => boolean } = {},
  ): Promise<Page> {
    let url = new URL(target, this.home);
    let sentFrom = from;
    for (let hops = 0; hops < 20; hops += 1) {
      if (until(url)) return { url, status: 0, text: '' };
      const response = await this.request(url, sentFrom === undefined ? {} : { from: sentFrom });
      const location = response.headers.get('location');
      if (location === null) return { url, status: response.status, text: await response.text() };
      await response.body?.cancel();
      const next = new URL(location, url);
      // Once another site was on the way, all that follows was begun by it.
      if (next.origin !== url.origin) sentFrom = url.origin;
      url = next;
    }
    throw new Error('redirected for ever');
  }

  /** Runs an operation as our own page does. */
  // The answer's type is the caller's business: it wrote the document.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  async ask(query: string, variables: object = {}): Promise<any> {
    const cookie = [...this.#cookiesOf(this.home)].map(([name, { value }]) => `${name}=${value}`).join('; ');
    const response = await fetch(`${this.home}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-tallylight-csrf': '1',
        'x-forwarded-for': this.address,
        ...(cookie === '' ? {} : { cookie }),
      },
      body: JSON.stringify({ query, variables }),
    });
    this.#take(this.home, response);
    return response.json();
  }

  #cookiesOf(origin: string): Map<string, Cookie> {
    const cookies = this.#jar.get(origin) ?? new Map<string, Cookie>();
    this.#jar.set(origin, cookies);
    return cookies;
  }

  #take(origin: string, response: Response): void {
    const cookies = this.#cookiesOf(origin);
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const name = pair.slice(0, at);
      const value = pair.slice(at + 1);
      const text = attributes.map((attribute) => attribute.trim()).join('; ');
      if (/Max-Age=0(?:;|$)|expires=Thu, 01 Jan 1970/i.test(text)) cookies.delete(name);
      else cookies.set(name, { value, attributes: text });
    }
  }
}
