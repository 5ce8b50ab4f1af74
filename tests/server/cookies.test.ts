import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { newSessionToken } from '../../src/auth/sessions/session-token.ts';
import { cookiesOf, readCookie } from '../../src/server/cookies.ts';

const token = newSessionToken();
const NAME = '__Host-tl_session';

describe('the session cookie', () => {
  it('is for this host, for https, and for no script [T-S3]', () => {
    const sent: string[] = [];
    // Only what setting a cookie needs of an exchange.
    const response = { headersSent: false, appendHeader: (_name: string, text: string) => sent.push(text) };
    const cookies = cookiesOf({ headers: {} } as IncomingMessage, response as unknown as ServerResponse);
    cookies.set(NAME, token, 60.9);
    cookies.set(NAME, null, 60);
    expect(sent).toEqual([
      `${NAME}=${token}; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Strict`,
      `${NAME}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict`,
    ]);
  });

  it.each([
    ['alone', `${NAME}=${token}`],
    ['among others', `a=b; ${NAME}=${token}; c=d`],
    ['without spaces', `a=b;${NAME}=${token};c=d`],
    ['beside a cookie that cannot be decoded', `bad=%; ${NAME}=${token}; worse=%E0%A4%A`],
    ['beside cookies without a name or a value', `=; ;; novalue; ${NAME}=${token}`],
  ])('is found %s', (_where, header) => {
    expect(readCookie(header, NAME)).toBe(token);
  });

  it.each([
    ['there is none', undefined],
    ['the header is empty', ''],
    ['it is there twice [T-S3]', `${NAME}=${token}; ${NAME}=${newSessionToken()}`],
    ['it is there twice, the same', `${NAME}=${token}; ${NAME}=${token}`],
    ['a planted empty one comes with it', `${NAME}=; ${NAME}=${token}`],
    ['the header is endless', `a=${'b'.repeat(9_000)}; ${NAME}=${token}`],
    ['its name has other capitals', `__host-tl_session=${token}`],
    ['its name has no prefix', `tl_session=${token}`],
  ])('is refused when %s', (_why, header) => {
    expect(readCookie(header, NAME)).toBeNull();
  });
});
