/**
 * What should be on screen, as plain data: no DOM, no clock of its own, so every rule can be tested.
 *
 * Rules: a gift streak is one alert that counts, never one per step; alerts beyond the visible ones wait their turn
 * while their counts go on; history is never shown; nothing is shown twice; every list has a limit.
 */

/** Alerts on screen at once; more wait. */
export const ALERTS_VISIBLE_MAX = 3;
/** Waiting alerts; when full, the waiting one worth least makes room. */
export const ALERTS_WAITING_MAX = 100;
export const CHAT_LINES_MAX = 8;
export const CHAT_LINE_MS = 45_000;
/** A streak nobody closed (the end never came) leaves after this long without growth. */
export const STREAK_SILENCE_MS = 15_000;
/** Event ids remembered so that a repeat after a reconnect is not shown again. */
export const SEEN_IDS_MAX = 1_000;

/**
 * @typedef {object} Actor
 * @property {string} alias
 * @property {string | null} displayName
 * @property {string | null} avatarUrl
 *
 * @typedef {object} Alert
 * @property {string} id
 * @property {'gift' | 'follow' | 'subscribe'} kind
 * @property {Actor} actor
 * @property {string} giftName
 * @property {string | null} giftImageUrl
 * @property {number} count
 * @property {number} coins
 * @property {number} months
 * @property {boolean} closed
 * @property {number} changedAt
 * @property {number} shownAt 0 while it waits.
 *
 * @typedef {object} ChatLine
 * @property {string} id
 * @property {Actor} actor
 * @property {string} message
 * @property {number} at
 *
 * @typedef {object} OverlayEvent An `Event` of the API, as the overlay's subscription selects it.
 * @property {string} __typename
 * @property {string} id
 * @property {boolean} history
 * @property {Actor | null} actor
 * @property {string} [message]
 * @property {string} [giftName]
 * @property {string | null} [giftImageUrl]
 * @property {string} [streakId]
 * @property {number} [streakCount]
 * @property {string} [streakCoins]
 * @property {boolean} [streakActive]
 * @property {number} [subMonth]
 * @property {readonly string[]} [aliases]
 */

/** @param {{ alertMs: number }} options */
export function createAlertBoard(options) {
  /** @type {Alert[]} */
  let visible = [];
  /** @type {Alert[]} */
  const waiting = [];
  /** @type {ChatLine[]} */
  let chat = [];
  /** @type {Set<string>} */
  const seen = new Set();

  /** @param {string} id */
  const firstSeen = (id) => {
    if (seen.has(id)) return false;
    seen.add(id);
    if (seen.size > SEEN_IDS_MAX) seen.delete(/** @type {string} */ (seen.values().next().value));
    return true;
  };

  /** @param {Alert} alert @param {number} now */
  const add = (alert, now) => {
    waiting.push(alert);
    if (waiting.length > ALERTS_WAITING_MAX) waiting.splice(leastWorth(waiting), 1);
    promote(now);
  };

  /** @param {number} now */
  const promote = (now) => {
    while (visible.length < ALERTS_VISIBLE_MAX && waiting.length > 0) {
      const next = /** @type {Alert} */ (waiting.shift());
      next.shownAt = now;
      visible.push(next);
    }
  };

  /** @param {OverlayEvent} event @param {number} now */
  const gift = (event, now) => {
    const id = event.streakId ?? event.id;
    const known = [...visible, ...waiting].find((alert) => alert.id === id);
    const count = event.streakCount ?? 1;
    const coins = Number(event.streakCoins ?? 0);
    if (known === undefined) {
      // An end that comes after its alert has left says nothing new; growth that comes late is shown again.
      if (!event.streakActive && !firstSeen(`closed ${id} ${count}`)) return;
      add(newAlert('gift', id, event, { count, coins, closed: !event.streakActive, now }), now);
      return;
    }
    if (count > known.count || !event.streakActive) known.changedAt = now;
    known.count = Math.max(known.count, count);
    known.coins = Math.max(known.coins, coins);
    if (!event.streakActive) {
      known.closed = true;
      firstSeen(`closed ${id} ${known.count}`);
    }
  };

  return {
    /** @param {OverlayEvent} event @param {number} now */
    receive(event, now) {
      if (event.history || !firstSeen(event.id)) return;
      switch (event.__typename) {
        case 'ChatEvent':
          if (event.actor === null || !event.message) return;
          chat.push({ id: event.id, actor: event.actor, message: event.message, at: now });
          if (chat.length > CHAT_LINES_MAX) chat = chat.slice(-CHAT_LINES_MAX);
          break;
        case 'GiftEvent':
          gift(event, now);
          break;
        case 'FollowEvent':
          add(newAlert('follow', event.id, event, { count: 1, coins: 0, closed: true, now }), now);
          break;
        case 'SubscribeEvent':
          add(newAlert('subscribe', event.id, event, { count: 1, coins: 0, closed: true, now }), now);
          break;
        case 'MessageDeletedEvent': {
          const gone = new Set(event.aliases ?? []);
          chat = chat.filter((line) => !gone.has(line.actor.alias));
          break;
        }
      }
    },

    /** Lets finished alerts and old chat go, and the next ones in. @param {number} now */
    tick(now) {
      visible = visible.filter((alert) => {
        const since = now - Math.max(alert.shownAt, alert.changedAt);
        return since < (alert.closed ? options.alertMs : Math.max(options.alertMs, STREAK_SILENCE_MS));
      });
      chat = chat.filter((line) => now - line.at < CHAT_LINE_MS);
      promote(now);
    },

    /** @returns {{ alerts: readonly Alert[]; chat: readonly ChatLine[] }} */
    view: () => ({ alerts: visible, chat }),
  };
}

/**
 * @param {Alert['kind']} kind
 * @param {string} id
 * @param {OverlayEvent} event
 * @param {{ count: number; coins: number; closed: boolean; now: number }} state
 * @returns {Alert}
 */
function newAlert(kind, id, event, { count, coins, closed, now }) {
  return {
    id,
    kind,
    actor: event.actor ?? { alias: 'viewer', displayName: null, avatarUrl: null },
    giftName: event.giftName ?? '',
    giftImageUrl: event.giftImageUrl ?? null,
    count,
    coins,
    months: event.subMonth ?? 0,
    closed,
    changedAt: now,
    shownAt: 0,
  };
}

/** The index of the alert worth least: no coins before coins, then the oldest. @param {readonly Alert[]} alerts */
function leastWorth(alerts) {
  let least = 0;
  for (let index = 1; index < alerts.length; index++) {
    if ((alerts[index]?.coins ?? 0) < (alerts[least]?.coins ?? 0)) least = index;
  }
  return least;
}
