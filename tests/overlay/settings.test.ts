import { describe, expect, it } from 'vitest';
import { parseSettings } from '../../web/overlay/settings.js';

const CHANNEL = 'chn_0192f3c4a5b67c8d9e0f1a2b3c4d5e6f';
const KEY = 'tlo_abcdefghijklmnopqrstuvwxyz';

describe('overlay settings', () => {
  it('reads channel and key from the fragment and shows everything by default', () => {
    expect(parseSettings(`#channel=${CHANNEL}&key=${KEY}`)).toEqual({
      channelId: CHANNEL,
      key: KEY,
      chat: true,
      alerts: true,
      minimumCoins: 0,
      alertMs: 6_000,
    });
  });

  it('takes what to show, from which value on, and for how long', () => {
    expect(
      parseSettings(`#channel=${CHANNEL}&key=${KEY}&show=alerts&minimumCoins=100&seconds=12`),
    ).toMatchObject({ chat: false, alerts: true, minimumCoins: 100, alertMs: 12_000 });
  });

  it('keeps numbers within their limits and ignores what is not a number', () => {
    expect(parseSettings(`#channel=${CHANNEL}&key=${KEY}&minimumCoins=1e9&seconds=99999`)).toMatchObject({
      minimumCoins: 0,
      alertMs: 60_000,
    });
  });

  it.each([
    '',
    '#',
    `#channel=${CHANNEL}`,
    `#key=${KEY}`,
    `#channel=chn_1&key=${KEY}`,
    `#channel=${CHANNEL}&key=x`,
  ])('answers %j with a sentence for the person in front of the screen', (fragment) => {
    expect(parseSettings(fragment)).toBe(
      'This overlay URL is not complete. Copy the whole URL from Tallylight, including everything after the #.',
    );
  });
});
