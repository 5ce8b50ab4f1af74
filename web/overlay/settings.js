/**
 * What the overlay URL asks for. Everything stands in the fragment, which browsers never send to a server: the key
 * stays out of access logs, proxies and Referer headers.
 *
 * @typedef {object} OverlaySettings
 * @property {string} channelId
 * @property {string} key
 * @property {boolean} chat Show chat.
 * @property {boolean} alerts Show gift, follow and subscription alerts.
 * @property {number} minimumCoins Gifts below are not shown.
 * @property {number} alertMs How long an alert stays once it is complete.
 */

const ALERT_SECONDS_DEFAULT = 6;
const ALERT_SECONDS_MAX = 60;

/**
 * Reads `#channel=chn_…&key=tlo_…[&show=chat,alerts][&minimumCoins=10][&seconds=6]`.
 *
 * @param {string} fragment With or without the leading `#`.
 * @returns {OverlaySettings | string} The settings, or a sentence for the person in front of the screen.
 */
export function parseSettings(fragment) {
  const values = new URLSearchParams(fragment.replace(/^#/, ''));
  const channelId = values.get('channel') ?? '';
  const key = values.get('key') ?? '';
  if (!/^chn_[0-9a-f]{32}$/.test(channelId) || !/^tlo_[A-Za-z0-9_-]{20,200}$/.test(key)) {
    return 'This overlay URL is not complete. Copy the whole URL from Tallylight, including everything after the #.';
  }
  const show = (values.get('show') ?? 'chat,alerts').split(',');
  return {
    channelId,
    key,
    chat: show.includes('chat'),
    alerts: show.includes('alerts'),
    minimumCoins: wholeNumber(values.get('minimumCoins'), 0, Number.MAX_SAFE_INTEGER, 0),
    alertMs: wholeNumber(values.get('seconds'), 1, ALERT_SECONDS_MAX, ALERT_SECONDS_DEFAULT) * 1000,
  };
}

/**
 * @param {string | null} text
 * @param {number} min
 * @param {number} max
 * @param {number} otherwise
 */
function wholeNumber(text, min, max, otherwise) {
  if (text === null || !/^\d{1,15}$/.test(text)) return otherwise;
  return Math.min(max, Math.max(min, Number(text)));
}
