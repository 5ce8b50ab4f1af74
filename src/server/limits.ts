/** Every limit of the API in one place. Sizes in bytes, times in milliseconds. */

/** A request's body, and a WebSocket frame. */
export const BODY_BYTES_MAX = 128 * 1024;
/** The JSON of a request: the largest manifest has 500 operations with two values each. Every value is looked at some five times. */
export const JSON_SHAPE = { depthMax: 32, valuesMax: 2_000 } as const;
/** A webhook's body: what Clerk tells of a user with everything set is a tenth of it. */
export const WEBHOOK_BYTES_MAX = 256 * 1024;
/** Characters of a document, which is kept for a while: the longest that the tokens let through without blanks has 25,000. */
export const DOCUMENT_LENGTH_MAX = 32 * 1024;
/** Tokens of a document: the overlay's has 90, a query of every field of every event 400. */
export const DOCUMENT_TOKENS_MAX = 1_000;
/** Levels of fields: a member's events reached through a channel's streams is 13. */
export const DOCUMENT_DEPTH_MAX = 15;
export const DOCUMENT_ALIASES_MAX = 20;
export const DOCUMENT_DIRECTIVES_MAX = 5;
/** Fields of one name in a document: the overlay's has one of each. */
export const DOCUMENT_REPEATS_MAX = 50;
/** Mistakes of a document that are told; then its validation stops. */
export const DOCUMENT_PROBLEMS_MAX = 20;
/** Points of one operation: ten pages of 100 events with their actors. @see schema/connection.ts for what costs */
export const OPERATION_COST_MAX = 2_000;

/** How long an operation may run, a subscription until it is in force. */
export const OPERATION_DEADLINE_MS = 10_000;

/** The bucket that somebody's operations are paid from unless configured, in points and points per second. */
export const COST_POINTS = 10_000;
export const COST_POINTS_PER_SECOND = 500;
/** What a document that cannot run costs: it was read and checked all the same. */
export const REFUSED_DOCUMENT_COST = 10;

/**
 * Credentials that open nothing, of one address: that many at once, and that many a second. Then none that is new to the process is
 * looked at.
 */
export const CREDENTIAL_FAILURES = { capacity: 200, restorePerSecond: 2 } as const;
/** Origins that no client allows, of one address. */
export const ORIGIN_FAILURES = { capacity: 200, restorePerSecond: 2 } as const;

/** Connections of this process, HTTP and WebSocket together. */
export const CONNECTIONS_MAX = 5_000;
/** WebSockets, event streams and requests under way that one key may have in this process. */
export const LIVE_CONNECTIONS_PER_KEY_MAX = 500;
/** Connections, and WebSockets and requests under way, that one address (IPv6: one /64) may have in this process. */
export const CONNECTIONS_PER_ADDRESS_MAX = 1_000;
/** Operations under way on one WebSocket. */
export const OPERATIONS_PER_SOCKET_MAX = 20;

/** Pieces that a WebSocket's message may come in: clients send it whole. */
export const FRAGMENTS_PER_MESSAGE_MAX = 128;
/** Messages that one WebSocket may send, pings and pongs among them: in the long run, and at once. Each operation is two. */
export const MESSAGES_PER_SECOND_MAX = 50;
export const MESSAGES_BURST_MAX = 200;

/** How long a WebSocket may take to say who it is. */
export const CONNECTION_INIT_MS = 3_000;
/** A WebSocket is pinged this often; one that has not answered by the next time is gone. */
export const PING_EVERY_MS = 12_000;
/** What may wait in a WebSocket's send buffer, and how long one message may wait there. */
export const SOCKET_BUFFER_BYTES_MAX = 1024 * 1024;
export const SOCKET_STALL_MS = 10_000;

/** Keys of open connections are looked at again this often, whatever was or was not told: rotation cuts within 5 s. */
export const REAUTHORISE_EVERY_MS = 4_000;

/** How long stopping may take. */
export const DRAIN_MS = 3_000;
