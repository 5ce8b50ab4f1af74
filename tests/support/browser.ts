import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where a Chromium is on this machine; undefined when there is none, and page tests must skip loudly. */
export function chromiumPath(): string | undefined {
  const path = CHROMIUM_PATHS.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    process.stderr.write('\n*** NO CHROMIUM HERE: the tests of the overlay page are SKIPPED ***\n\n');
  }
  return path;
}

/** A headless Chromium that talks to nobody but the page's server. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
