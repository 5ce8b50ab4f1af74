/**
 * The states of a channel's connection.
 *
 * | state | meaning | moves to |
 * |---|---|---|
 * | CONNECTING | looking for the room, signing, opening the socket | LIVE, OFFLINE, ENDED, RECONNECTING, SUSPENDED, BLOCKED, STOPPED |
 * | LIVE | messages arrive | STALLED, RECONNECTING, ENDED, SUSPENDED, STOPPED |
 * | STALLED | connected but silent longer than the watchdog allows; a gap is open | LIVE, RECONNECTING, ENDED, SUSPENDED, STOPPED |
 * | RECONNECTING | waiting out the back-off before the next attempt; a gap is open if it was live | CONNECTING, ENDED and SUSPENDED (said by the connection's last words), STOPPED |
 * | OFFLINE | the streamer is not live; looked at again from time to time | CONNECTING, STOPPED |
 * | ENDED | the stream ended; as OFFLINE, but the stream just seen is over | CONNECTING, STOPPED |
 * | SUSPENDED | the provider suspended the stream; looked at again rarely | CONNECTING, STOPPED |
 * | BLOCKED | the provider or the sign server refuses us; looked at again rarely | CONNECTING, STOPPED |
 * | STOPPED | nobody wants this channel connected | CONNECTING |
 */
export const CONNECTION_STATES = [
  'CONNECTING',
  'LIVE',
  'STALLED',
  'RECONNECTING',
  'OFFLINE',
  'ENDED',
  'SUSPENDED',
  'BLOCKED',
  'STOPPED',
] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];
