/**
 * Puts the board on screen. Every text goes in as text (`textContent`), every address is checked to be https, so
 * nothing a viewer types can become markup, script or a request to somewhere else.
 *
 * @typedef {import('./alert-board.js').Alert} Alert
 * @typedef {import('./alert-board.js').ChatLine} ChatLine
 * @typedef {import('./alert-board.js').Actor} Actor
 */

const LEAVE_MS = 350;

/**
 * Makes `list` show exactly `items`: new ones are built, known ones updated, gone ones leave.
 *
 * @template {{ id: string }} T
 * @param {HTMLElement} list
 * @param {readonly T[]} items
 * @param {(item: T) => HTMLElement} build
 * @param {(element: HTMLElement, item: T) => void} update
 */
export function paintList(list, items, build, update) {
  const present = new Map(
    [...list.children].flatMap((child) =>
      child instanceof HTMLElement && !child.classList.contains('leaving') ? [[child.dataset.id, child]] : [],
    ),
  );
  for (const item of items) {
    let element = present.get(item.id);
    if (element === undefined) {
      element = build(item);
      element.dataset.id = item.id;
      list.append(element);
    }
    update(element, item);
    present.delete(item.id);
  }
  for (const element of present.values()) leave(element);
}

/** @param {HTMLElement} element */
function leave(element) {
  element.classList.add('leaving');
  setTimeout(() => element.remove(), LEAVE_MS);
}

/** @param {Alert} alert */
export function buildAlert(alert) {
  const item = document.createElement('li');
  item.dataset.kind = alert.kind;
  const words = node('span', 'words');
  words.append(node('bdi', 'name', nameOf(alert.actor)), node('bdi', 'detail'));
  item.append(avatar(alert.actor), words);
  const image = safeImage(alert.giftImageUrl, 'gift-image');
  if (image !== null) item.append(image);
  if (alert.kind === 'gift') item.append(node('span', 'count'));
  return item;
}

/** @param {HTMLElement} element @param {Alert} alert */
export function updateAlert(element, alert) {
  setText(element.querySelector('.detail'), detailOf(alert));
  element.classList.toggle('closed', alert.closed);
  const count = element.querySelector('.count');
  if (count === null || count.textContent === `×${alert.count}`) return;
  count.textContent = `×${alert.count}`;
  count.classList.remove('bump');
  // Reading the width makes the browser notice that the class went, so that the animation runs again.
  void element.offsetWidth;
  count.classList.add('bump');
}

/** @param {ChatLine} line */
export function buildChatLine(line) {
  const item = document.createElement('li');
  item.style.setProperty('--hue', String(hueOf(line.actor.alias)));
  const words = node('span', 'words');
  words.append(node('bdi', 'name', nameOf(line.actor)), node('bdi', 'message', line.message));
  item.append(avatar(line.actor), words);
  return item;
}

/** @param {Alert} alert */
function detailOf(alert) {
  switch (alert.kind) {
    case 'gift':
      return alert.coins > 0 ? `sent ${alert.giftName} · ${alert.coins} coins` : `sent ${alert.giftName}`;
    case 'follow':
      return 'now follows';
    case 'subscribe':
      return alert.months > 1 ? `subscribed, month ${alert.months}` : 'subscribed';
  }
}

/** @param {Actor} actor */
function nameOf(actor) {
  return actor.displayName || actor.alias;
}

/** @param {Actor} actor */
function avatar(actor) {
  const initial = node('span', 'avatar', ([...nameOf(actor)][0] ?? '?').toUpperCase());
  initial.style.setProperty('--hue', String(hueOf(actor.alias)));
  const image = safeImage(actor.avatarUrl, 'avatar');
  if (image === null) return initial;
  image.addEventListener('error', () => image.replaceWith(initial), { once: true });
  return image;
}

/** @param {string | null} address @param {string} className */
function safeImage(address, className) {
  if (address === null || !URL.canParse(address) || new URL(address).protocol !== 'https:') return null;
  const image = document.createElement('img');
  image.className = className;
  image.alt = '';
  image.referrerPolicy = 'no-referrer';
  image.src = address;
  return image;
}

/** A colour that stays the same for the same viewer. @param {string} text */
function hueOf(text) {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}

/** @param {string} tag @param {string} className @param {string} [text] */
function node(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {Element | null} element @param {string} text */
function setText(element, text) {
  if (element !== null && element.textContent !== text) element.textContent = text;
}
