import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { chromiumPath, launchChromium } from '../support/browser.ts';
import { createInstallation, type Installation } from '../support/installation.ts';
import { type TallylightProcess, tallylight } from '../support/tallylight-process.ts';
import { waitFor } from '../support/wait.ts';

const OVERLAY_URL = /http:\/\/\S+\/overlay\/#channel=chn_[0-9a-f]{32}&key=tlo_\S+/;
/** The bars: first event on the overlay after start, and from the signal to the last process gone. */
const FIRST_EVENT_MS_MAX = 20_000;
const STOP_MS_MAX = 5_000;

async function overlayUrlOf(product: TallylightProcess): Promise<string> {
  return await waitFor(() => OVERLAY_URL.exec(product.stdout())?.[0], {
    timeoutMs: FIRST_EVENT_MS_MAX,
    message: `an overlay URL on standard output; standard error: ${product.stderr()}`,
  });
}

/** Processes of this machine whose command line names the data folder: PostgreSQL's name it. */
async function processesOf(dataDir: string): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(dataDir));
}

async function storedEvents(installation: Installation): Promise<number> {
  const { channels } = await installation.query(
    '{ channels(first: 1) { edges { node { events(first: 100) { edges { node { id } } } } } } }',
  );
  return channels.edges[0]?.node.events.edges.length ?? 0;
}

describe('tallylight start, as a newcomer runs it', () => {
  const executablePath = chromiumPath();

  it.skipIf(executablePath === undefined)(
    'shows chat and gifts on the overlay page, labelled as simulated, and stops cleanly',
    { timeout: 90_000 },
    async () => {
      await using installation = await createInstallation();
      const product = tallylight(['start'], installation.env);
      await using browser = await launchChromium(executablePath ?? '');
      const page = await browser.newPage();
      const refused: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') refused.push(message.text());
      });

      await page.goto(await overlayUrlOf(product));
      await page.locator('#chat > li').first().waitFor({ timeout: FIRST_EVENT_MS_MAX });
      await page.locator('#alerts > li[data-kind=gift] .count').first().waitFor({ timeout: 30_000 });
      await page.locator('#simulated').waitFor({ timeout: 5_000 });

      // Nothing was refused by the page's own content security policy, and nothing failed to load.
      expect(refused).toEqual([]);
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgba(0, 0, 0, 0)');
      await waitFor(async () => (await storedEvents(installation)) > 0, { message: 'stored events' });

      const askedAt = performance.now();
      expect(await product.stop('SIGINT')).toBe(0);
      expect(performance.now() - askedAt).toBeLessThan(STOP_MS_MAX);
      expect(await processesOf(installation.dataDir)).toEqual([]);
    },
  );

  it('keeps its data between runs, prints its addresses once each time, and refuses to run twice', {
    timeout: 90_000,
  }, async () => {
    await using installation = await createInstallation();
    const first = tallylight(['start'], installation.env);
    const overlayUrl = await overlayUrlOf(first);
    await waitFor(() => storedEvents(installation), { message: 'stored events' });

    const twin = tallylight(['start'], { ...installation.env, TALLYLIGHT_PORT: '0' });
    expect(await twin.ended).not.toBe(0);
    expect(twin.stderr()).toMatch(/data folder .*in use/i);
    expect(twin.stderr()).not.toMatch(/\n\s+at /);
    await first.stop();
    expect(first.stdout().split(overlayUrl)).toHaveLength(2);

    const second = tallylight(['start'], installation.env);
    expect(await overlayUrlOf(second)).toBe(overlayUrl);
    expect(await storedEvents(installation)).toBeGreaterThan(0);
    await second.stop();
  });

  it('leaves the simulated channel alone once a real handle is given: its namesake on TikTok is a stranger', {
    timeout: 90_000,
  }, async () => {
    await using installation = await createInstallation({
      // Nothing of TikTok answers here: the handle need not be live to be wanted.
      TIKTOK_WEB_HOST: '127.0.0.1:9',
      TIKTOK_WEBCAST_HOST: '127.0.0.1:9',
      TIKTOK_SIGN_URL: 'http://127.0.0.1:9',
    });
    const first = tallylight(['start'], installation.env);
    await overlayUrlOf(first);
    await first.stop();
    const second = tallylight(['start', '@somebody'], installation.env);
    await overlayUrlOf(second);
    const { channels } = await installation.query(
      '{ channels(first: 9) { edges { node { handle wanted } } } }',
    );
    expect(channels.edges.map(({ node }: { node: unknown }) => node)).toEqual([
      { handle: 'simulated', wanted: false },
      { handle: 'somebody', wanted: true },
    ]);
    await second.stop();
  });

  it('survives kill -9: the next start finds everything that was stored', { timeout: 90_000 }, async () => {
    await using installation = await createInstallation();
    const first = tallylight(['start'], installation.env);
    const overlayUrl = await overlayUrlOf(first);
    await waitFor(async () => (await storedEvents(installation)) >= 20, { message: 'stored events' });
    await first.stop('SIGKILL');

    const second = tallylight(['start'], installation.env);
    expect(await overlayUrlOf(second)).toBe(overlayUrl);
    expect(await storedEvents(installation)).toBeGreaterThanOrEqual(20);
    // What was missed in between is a recorded gap, not silence.
    await waitFor(
      async () => {
        const { channels } = await installation.query(
          '{ channels(first: 1) { edges { node { streams(first: 100) { edges { node { gaps(first: 10) { edges { node { reason } } } } } } } } } }',
        );
        return JSON.stringify(channels).includes('RESTART');
      },
      { message: 'a recorded gap' },
    );
    await second.stop();
    expect(await processesOf(installation.dataDir)).toEqual([]);
  });
});
