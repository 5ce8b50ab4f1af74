/**
 * The bus's limits, in one place. Both adapters hold to them; those an operator may want to move are options too.
 */

/**
 * Events of one append that are one atomic step, together with its state changes. A longer request is cut into steps of
 * this size, the state changes going with the last. 1,000 events of 1 kB occupy Redis for about 5 ms.
 */
export const APPEND_STEP_EVENTS_MAX = 1_000;

/** Characters of event JSON in one atomic step: what keeps a script call and its live message small. */
export const APPEND_STEP_CHARACTERS_MAX = 4 * 1024 * 1024;

/** How long an append waits for slow consumers to make room before it is refused, in milliseconds. */
export const APPEND_WAIT_MS = 5_000;

/** Ids of a channel remembered in one window. Two windows are kept, so at least this many ids back are known… */
export const DEDUPE_WINDOW_IDS_MAX = 20_000;

/** …unless they are older than this, in milliseconds: longer than the longest reconnect back-off and its repeats. */
export const DEDUPE_WINDOW_MS = 10 * 60 * 1_000;

/**
 * A group without a live member for this long no longer holds the streams back, in milliseconds: its unread events are
 * dropped once the cap is reached, so that a group nobody runs any more cannot stop everybody else.
 */
export const GROUP_ABANDONED_MS = 60 * 60 * 1_000;

/** Events that every group has acknowledged leave Redis when they are older than this, in milliseconds: they name people. */
export const EVENTS_MEMORY_MS = 24 * 60 * 60 * 1_000;

/** How often a reader cuts what is older, in milliseconds; also when it begins. */
export const EVENTS_CUT_EVERY_MS = 60 * 60 * 1_000;

/** Dead letters are kept this long, in milliseconds: they hold the message. Long enough for somebody to come and look. */
export const DEAD_LETTERS_MEMORY_MS = 30 * 24 * 60 * 60 * 1_000;

/** Dead letters kept; the oldest go first. */
export const DEAD_LETTERS_MAX = 10_000;

/** A dead letter's message is cut to this many characters, and its reason says so. */
export const DEAD_LETTER_MESSAGE_CHARACTERS_MAX = 64 * 1024;

/** A dead letter's reason is cut to this many characters. */
export const DEAD_LETTER_REASON_CHARACTERS_MAX = 200;

/** Back-off after a batch's first failure, in milliseconds; doubles with each further one. */
export const RETRY_BASE_MS = 200;

/** The longest back-off between two attempts, in milliseconds. */
export const RETRY_MAX_MS = 10_000;

/**
 * Attempts beyond `attemptsMax` that end with the death of the consumer before the event it was at is given up unseen.
 * High, because a worker restarted in a database outage also leaves such marks on innocent events.
 */
export const CRASHED_ATTEMPTS_MAX = 10;

/** How long `Consumer.stop` waits for the handler before it abandons the batch to the next member, in milliseconds. */
export const STOP_WAIT_MS = 5_000;
