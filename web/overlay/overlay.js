import { createAlertBoard } from './alert-board.js';
import { keepConnected } from './live-connection.js';
import { OVERLAY_EVENTS, OVERLAY_STREAM } from './operations.js';
import { buildAlert, buildChatLine, paintList, updateAlert } from './paint.js';
import { parseSettings } from './settings.js';

/** How often finished alerts and old chat are looked for. */
const TICK_MS = 250;
/** A server away for longer than this is mentioned on screen; shorter ones a viewer need not see. */
const AWAY_MS_SILENT = 10_000;

/** @param {string} id */
const element = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found;
};

/** @param {string} sentence Empty hides it. */
const showProblem = (sentence) => {
  element('problem').textContent = sentence;
  element('problem').hidden = sentence === '';
};

/** @param {import('./settings.js').OverlaySettings} settings */
function run(settings) {
  const board = createAlertBoard({ alertMs: settings.alertMs });
  let paintPlanned = false;
  const paint = () => {
    paintPlanned = false;
    const { alerts, chat } = board.view();
    paintList(element('alerts'), alerts, buildAlert, updateAlert);
    paintList(element('chat'), chat, buildChatLine, () => {});
  };
  const schedulePaint = () => {
    if (paintPlanned) return;
    paintPlanned = true;
    requestAnimationFrame(paint);
  };
  setInterval(() => {
    board.tick(performance.now());
    schedulePaint();
  }, TICK_MS);

  let awayTimer = 0;
  keepConnected({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
    key: settings.key,
    subscriptions: [
      {
        operation: OVERLAY_EVENTS,
        variables: { channelId: settings.channelId, filter: filterOf(settings) },
        onData: (data) => {
          board.receive(data.eventReceived, performance.now());
          schedulePaint();
        },
      },
      {
        operation: OVERLAY_STREAM,
        variables: { channelId: settings.channelId },
        onData: (data) => {
          element('simulated').hidden = data.streamUpdated.stream?.simulated !== true;
        },
      },
    ],
    onState: (state) => {
      document.documentElement.dataset.state = state;
      clearTimeout(awayTimer);
      if (state === 'connected') showProblem('');
      else if (state === 'refused') {
        showProblem('Tallylight refused this overlay URL. Copy the current one from Tallylight.');
      } else {
        awayTimer = window.setTimeout(() => showProblem('Waiting for Tallylight …'), AWAY_MS_SILENT);
      }
    },
  });
}

/** @param {import('./settings.js').OverlaySettings} settings */
function filterOf(settings) {
  const types = [
    ...(settings.chat ? ['CHAT', 'MESSAGE_DELETED'] : []),
    ...(settings.alerts ? ['GIFT', 'FOLLOW', 'SUBSCRIBE'] : []),
  ];
  return settings.minimumCoins > 0 ? { types, minimumCoins: String(settings.minimumCoins) } : { types };
}

const settings = parseSettings(location.hash);
if (typeof settings === 'string') showProblem(settings);
else run(settings);
// OBS edits the URL in place when a streamer pastes a new one.
addEventListener('hashchange', () => location.reload());
