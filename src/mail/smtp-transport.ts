import { createTransport } from 'nodemailer';
import { DependencyError } from '../errors/errors.ts';
import { isLoopbackHost } from '../lib/loopback.ts';
import type { MailTransport } from './mail.ts';

/** How long the mail server may take for a step, in milliseconds. */
const STEP_MS = 10_000;

/** Sends by SMTP. `url` is `smtp://` or `smtps://`, with user and password if need be; off loopback it must speak TLS. */
export function createSmtpTransport(options: { readonly url: string; readonly from: string }): MailTransport {
  const { hostname } = new URL(options.url);
  const transport = createTransport(
    {
      url: options.url,
      // STARTTLS, or nothing: a mail holds what opens an account.
      requireTLS: !isLoopbackHost(hostname),
      connectionTimeout: STEP_MS,
      greetingTimeout: STEP_MS,
      socketTimeout: STEP_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from: options.from },
  );
  return {
    send: async (mail) => {
      try {
        await transport.sendMail(mail);
      } catch (cause) {
        const status = cause instanceof Error && 'responseCode' in cause ? Number(cause.responseCode) : 0;
        throw new DependencyError('the mail server did not take a mail', {
          dependency: 'mail',
          retryable: !(status >= 500 && status < 600), // a server that says 5xx will say it again
          cause,
        });
      }
    },
    close: () => transport.close(),
  };
}
