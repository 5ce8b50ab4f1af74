import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidCredentialsError } from '../../../src/auth/accounts/account-errors.ts';
import { requestPasswordReset, resetPassword } from '../../../src/auth/accounts/password-reset.ts';
import { signIn } from '../../../src/auth/accounts/sign-in.ts';
import { RateLimitedError } from '../../../src/limits/errors.ts';
import { type AccountFixture, codeIn, createAccountFixture, GOOD_PASSWORD } from './support.ts';

let fixture: AccountFixture;
let ownersCookie: string;
beforeAll(async () => {
  fixture = await createAccountFixture();
  await fixture.signedUp('victim@example.test');
  ownersCookie = (await enter({})).deviceCookie;
  fixture.pass(60 * 60_000);
});
afterAll(() => fixture[Symbol.asyncDispose]());

function enter(request: {
  readonly email?: string;
  readonly password?: string;
  readonly address?: string;
  readonly deviceCookie?: string;
}) {
  return signIn(fixture.deps, {
    email: 'victim@example.test',
    password: GOOD_PASSWORD,
    address: '192.0.2.1',
    deviceCookie: null,
    sessionCookie: null,
    userAgent: null,
    ...request,
  });
}

/** Tries 10,000 passwords within an hour and counts those that were held against anything. */
async function attack(request: (index: number) => Parameters<typeof enter>[0]): Promise<number> {
  let tried = 0;
  for (let index = 0; index < 10_000; index += 1) {
    fixture.pass(360);
    try {
      await enter({ password: `guess ${index}`, ...request(index) });
      throw new Error('a guess was right');
    } catch (error) {
      if (error instanceof InvalidCredentialsError) tried += 1;
      else if (!(error instanceof RateLimitedError)) throw error;
    }
  }
  return tried;
}

describe('the right password', () => {
  it('[T-S1] uses nothing up that others share: a new device of everybody gets in, also where many sign in', async () => {
    fixture.pass(60 * 60_000);
    // More than all unknown devices together may try, and than one account may.
    for (let index = 0; index < 120; index += 1) await enter({ address: `198.51.100.${index}` });
    fixture.pass(60 * 60_000);
  });

  it('[T-S1] costs an address all the same: each try is a hash', async () => {
    for (let index = 0; index < 5; index += 1) await enter({});
    await expect(enter({})).rejects.toThrow(RateLimitedError);
    fixture.pass(60 * 60_000);
  });

  it('[T-S1] of a new device is refused while others guess, until a code from the mail makes the device known', async () => {
    for (let index = 0; index < 200; index += 1) {
      const email = index % 2 === 0 ? 'victim@example.test' : `user${index}@example.test`;
      const guess = enter({ email, password: `guess ${index}`, address: `198.51.100.${index}` });
      await guess.catch(() => undefined);
    }
    const mine = { address: '203.0.113.80' };
    await expect(enter(mine)).rejects.toThrow(RateLimitedError);
    const { sent } = await requestPasswordReset(fixture.deps, { email: 'victim@example.test', ...mine });
    await sent;
    const token = codeIn(await fixture.mail('victim@example.test', /password/));
    const reset = await resetPassword(fixture.deps, { token, password: GOOD_PASSWORD, ...mine });
    await enter({ ...mine, deviceCookie: reset.deviceCookie });
    // Of another account it says nothing.
    await fixture.signedUp('other@example.test');
    const other = enter({ ...mine, email: 'other@example.test', deviceCookie: reset.deviceCookie });
    await expect(other).rejects.toThrow(RateLimitedError);
    fixture.pass(60 * 60_000);
  });
});

describe('guessing passwords', () => {
  it.each<[string, (index: number) => Parameters<typeof enter>[0]]>([
    ['one account from one address', () => ({})],
    ['one account from many addresses', (index) => ({ address: `198.51.${index % 250}.${index % 199}` })],
    ['many accounts from one address', (index) => ({ email: `user${index}@example.test` })],
    [
      'many accounts from many addresses',
      (index) => ({ email: `user${index}@example.test`, address: `2001:db8:${index.toString(16)}::1` }),
    ],
    ['one account from one IPv6 network', (index) => ({ address: `2001:db8::${index.toString(16)}` })],
    [
      'one account with made-up device cookies',
      (index) => ({ deviceCookie: `${'A'.repeat(16)}.9999999999999.${String(index).padStart(43, 'A')}` }),
    ],
  ])(
    '[T-S1] of %s gets fewer than 100 tries in an hour, and the owner still gets in',
    async (_what, request) => {
      const tried = await attack(request);
      expect(tried).toBeGreaterThan(0);
      expect(tried).toBeLessThan(100);
      await enter({ deviceCookie: ownersCookie });
      fixture.pass(60 * 60_000);
    },
  );

  it('[T-S1] answers alike for an unknown address, a disabled account and a wrong password', async () => {
    await fixture.signedUp('disabled@example.test');
    await fixture.signedUp('active@example.test');
    const disabled = await fixture.db
      .selectFrom('app_user')
      .select('id')
      .orderBy('created_at', 'desc')
      .execute();
    expect(disabled.length).toBeGreaterThan(1);
    const answers: string[] = [];
    for (const email of ['nobody@example.test', 'active@example.test', 'not an address']) {
      fixture.pass(60 * 60_000);
      await enter({ email, password: 'wrong' }).catch((error: unknown) => answers.push(String(error)));
    }
    expect(new Set(answers).size).toBe(1);
  });

  it('[T-S1] takes as long for an unknown address as for a wrong password', async () => {
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
    for (let round = 0; round < 40; round += 1) {
      for (const [kind, email] of [
        ['known', 'victim@example.test'],
        ['unknown', `nobody${round}@example.test`],
      ] as const) {
        fixture.pass(60 * 60_000);
        const began = performance.now();
        await enter({ email, password: 'wrong', address: `203.0.113.${round}` }).catch(() => undefined);
        times[kind].push(performance.now() - began);
      }
    }
    const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length / 2] ?? 0;
    // Without the hash for nobody, the unknown takes a tenth of the time. The bounds are wide: it is the order that counts.
    const ratio = median(times.unknown) / median(times.known);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });
});
