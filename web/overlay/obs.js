import { parseSettings } from './settings.js';

/**
 * Shows the overlay URL and makes the local file for OBS. All of it happens in this page: the key in the fragment is
 * written into the file here and never travels to the server.
 */

/** Stands for the overlay URL, as a JSON string, in `obs-bootstrap.html`. */
const PLACEHOLDER = '"__OVERLAY_URL__"';

/** @param {string} id */
const element = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`obs.html has no #${id}`);
  return found;
};

async function prepare() {
  const settings = parseSettings(location.hash);
  if (typeof settings === 'string') return settings;
  const overlayUrl = new URL(`./${location.hash}`, location.href).href;
  const response = await fetch('obs-bootstrap.html');
  if (!response.ok) return `Tallylight did not hand out the file (${response.status}). Reload this page.`;
  const page = (await response.text()).replace(PLACEHOLDER, () => scriptSafeJson(overlayUrl));
  const file = new Blob([page], { type: 'application/octet-stream' });
  element('download').addEventListener('click', () => save(file, 'tallylight-overlay.html'));
  /** @type {HTMLInputElement} */ (element('url')).value = overlayUrl;
  element('copy').addEventListener('click', () => navigator.clipboard.writeText(overlayUrl));
  element('ready').hidden = false;
  return '';
}

/** @param {Blob} file @param {string} name */
function save(file, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** JSON that cannot end the script element it stands in. @param {string} text */
function scriptSafeJson(text) {
  return JSON.stringify(text).replaceAll('<', '\\u003c');
}

const problem = await prepare();
element('problem').textContent = problem;
element('problem').hidden = problem === '';
addEventListener('hashchange', () => location.reload());
