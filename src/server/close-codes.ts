/**
 * How the server closes WebSockets, besides the codes of the graphql-transport-ws protocol. Documented for clients.
 * @see https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 */
export const CLOSE_CODES = {
  /** The server stops: connect again, elsewhere or in a moment. */
  GOING_AWAY: { code: 1001, reason: 'Going away' },
  /** Something the server needs is out of reach: connect again in a moment. */
  TRY_AGAIN_LATER: { code: 1013, reason: 'Try again later' },
  /** Not a message of the protocol. */
  BAD_REQUEST: { code: 4400, reason: 'Bad request' },
  /** The key is not valid, or not any more. */
  FORBIDDEN: { code: 4403, reason: 'Forbidden' },
  /** The access token has come to its end: connect again with a new one. */
  TOKEN_EXPIRED: { code: 4403, reason: 'Token expired' },
  /** Messages came faster than they may: connect again, and ask for less at a time. */
  TOO_FAST: { code: 4414, reason: 'Too fast' },
  /** What was sent was not read: connect again, and read faster or ask for less. */
  TOO_SLOW: { code: 4413, reason: 'Too slow' },
} as const;
export type CloseCode = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES];
