import { createTransport } from 'nodemailer';
import { expect, it } from 'vitest';
import { wordingOf } from '../../src/mail/templates.ts';

const CODE = 'aB_-'.repeat(5);
const TOKEN = `tli_${'aB_-'.repeat(10)}xyz`;

it.each([
  [{ kind: 'VERIFY_EMAIL', token: CODE } as const, CODE],
  [{ kind: 'RESET_PASSWORD', token: CODE } as const, CODE],
  [{ kind: 'INVITATION', token: TOKEN, hours: 168 } as const, TOKEN],
])('has its code on a line of its own in the message as it is sent: %j', async (letter, code) => {
  const transport = createTransport({ streamTransport: true, buffer: true });
  const url = 'https://tally.example.test';
  const { message } = await transport.sendMail({
    to: 'a@b.test',
    from: 'c@d.test',
    ...wordingOf(letter, url),
  });
  expect(String(message).split(/\r?\n/)).toContain(`  ${code}`);
});
