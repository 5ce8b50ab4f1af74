import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startApiFixture } from '../server/api-fixture.ts';
import { chat, gift, liveUser, publish } from '../server/live-events.ts';
import { chromiumPath, launchChromium } from '../support/browser.ts';
import { waitFor } from '../support/wait.ts';

const executablePath = chromiumPath();

const MARKUP = [
  '<img src=x onerror=alert(1)>',
  '<script>alert(2)</script>',
  '"><svg onload=alert(3)>',
  '</bdi></ol><iframe srcdoc="<script>alert(4)</script>">',
  '{{constructor.constructor("alert(5)")()}}',
];
const ADDRESSES = [
  'javascript:alert(6)',
  'data:text/html,<script>alert(7)</script>',
  'http://evil.example/a.png',
  '//evil.example/b.png',
  'file:///etc/passwd',
];
/** As tall as text gets: a ligature that wraps to lines of its own, and marks heaped on a letter. */
const TALL = ['﷽'.repeat(100), `Z${'\u0335\u0321\u0489'.repeat(33)}`];

describe.skipIf(executablePath === undefined)('the overlay of a room with hostile viewers', () => {
  it('[T-T6] shows names, texts and pictures as such: nothing runs, nothing is fetched, nothing covers the screen', async () => {
    await using fixture = await startApiFixture({
      overlayDirectory: fileURLToPath(new URL('../../web/overlay', import.meta.url)),
    });
    const { id, overlayKey } = await fixture.channel('hostile.viewers');
    const browser = await launchChromium(executablePath ?? '');
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
      const harm: string[] = [];
      page.on('dialog', (dialog) => void dialog.dismiss().then(() => harm.push(dialog.message())));
      page.on('request', (request) => {
        if (!request.url().startsWith(fixture.url)) harm.push(request.url());
      });
      await page.goto(`${fixture.url}/overlay/#channel=${id}&key=${overlayKey}`);
      await waitFor(
        async () => (await fixture.bus.presence.count({ channelId: id, kind: 'subscriber' })) === 2,
      );
      const texts = [...MARKUP, ...TALL];
      await publish(
        fixture.bus,
        ...texts.map((text, index) => {
          const avatarUrl = ADDRESSES[index % ADDRESSES.length] ?? null;
          const user = { ...liveUser(`70${index}`), displayName: text, avatarUrl };
          return { ...chat(id, text), user };
        }),
        { ...gift(id, 9), user: { ...liveUser('80'), displayName: TALL[0] ?? '' } },
      );
      await page.waitForFunction(
        (count) => document.querySelectorAll('#chat > li').length === count,
        texts.length,
      );
      await page.waitForSelector('#alerts > li');
      const seen = await page.evaluate(() => ({
        messages: [...document.querySelectorAll('#chat .message')].map(({ textContent }) => textContent),
        made: document.querySelectorAll('ol script, ol svg, ol iframe, ol img, ol [onerror], ol [onload]')
          .length,
        tallest: Math.max(
          ...[...document.querySelectorAll('li')].map((line) => line.getBoundingClientRect().height),
        ),
      }));
      expect(seen.messages).toEqual(texts);
      expect(seen.made).toBe(0);
      expect(seen.tallest).toBeLessThan(720 / 3);
      expect(harm).toEqual([]);
    } finally {
      await browser.close();
    }
  }, 60_000);
});
