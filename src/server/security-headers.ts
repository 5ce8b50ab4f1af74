import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

type Headers = (request: IncomingMessage, response: ServerResponse) => void;

/** What browsers may do with our answers. */
export interface SecurityHeaders {
  /** Answers that are data: nothing in them is to run or to be framed. */
  readonly data: Headers;
  /** The overlay's pages: our own scripts and styles, live data from here, pictures from the provider's servers. */
  readonly overlay: Headers;
}

/** `https` says whether clients reach us by TLS (by a proxy, perhaps): only then HSTS is sent. */
export function createSecurityHeaders(options: { readonly https: boolean }): SecurityHeaders {
  const common = {
    strictTransportSecurity: options.https ? { maxAge: 63_072_000 } : false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginEmbedderPolicy: false,
  } as const;
  const closed = {
    'default-src': ["'none'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  };
  const data = helmet({ ...common, contentSecurityPolicy: { useDefaults: false, directives: closed } });
  const overlay = helmet({
    ...common,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        ...closed,
        'script-src': ["'self'"],
        'style-src': ["'self'"],
        // 'self' covers the WebSocket of the same host. @see https://www.w3.org/TR/CSP3/#match-url-to-source-expression
        'connect-src': ["'self'"],
        // Avatars and gifts are shown from the provider's servers.
        'img-src': ["'self'", 'https:'],
      },
    },
  });
  const nothing = () => undefined;
  return {
    data: (request, response) => data(request, response, nothing),
    overlay: (request, response) => overlay(request, response, nothing),
  };
}
