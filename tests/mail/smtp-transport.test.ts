import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSmtpTransport } from '../../src/mail/smtp-transport.ts';

let server: SMTPServer;
const received: { readonly to: readonly string[]; readonly text: string }[] = [];
beforeAll(async () => {
  server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: ({ address }, _session, done) => {
      const refusal = address.startsWith('refused')
        ? Object.assign(new Error('no'), { responseCode: 550 })
        : null;
      done(refusal);
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        received.push({ to, text: Buffer.concat(chunks).toString('utf8') });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

function transportTo(port: number) {
  return createSmtpTransport({ url: `smtp://127.0.0.1:${port}`, from: 'Tally <us@example.test>' });
}
const portOf = () => (server.server.address() as AddressInfo).port; // it listens on TCP

describe('mail by SMTP', () => {
  it('arrives at one recipient with sender, subject and text', async () => {
    const transport = transportTo(portOf());
    await transport.send({ to: 'ann@example.test', subject: 'Grüße', text: 'Line one\nLine two\n' });
    transport.close();
    expect(received).toHaveLength(1);
    expect(received[0]?.to).toEqual(['ann@example.test']);
    expect(received[0]?.text).toMatch(/^From: Tally <us@example\.test>\r$/m);
    expect(received[0]?.text).toContain('Line one');
  });

  it('says whether trying again can help', async () => {
    const transport = transportTo(portOf());
    const mail = { to: 'refused@example.test', subject: 'x', text: 'x' };
    await expect(transport.send(mail)).rejects.toMatchObject({ dependency: 'mail', retryable: false });
    transport.close();
    const nowhere = transportTo(1);
    await expect(nowhere.send({ ...mail, to: 'ann@example.test' })).rejects.toMatchObject({
      retryable: true,
    });
    nowhere.close();
  });
});
