import { randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createTransport } from 'nodemailer';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { MailTransport } from './mail.ts';

/**
 * For development and a computer of one's own: writes each mail as a file into a folder that our user alone may read. The
 * log says where; what stands in the mails is never logged.
 */
export function createFolderTransport(
  deps: { readonly clock: Clock; readonly logger: Logger },
  options: { readonly folder: string; readonly from: string },
): MailTransport {
  const composer = createTransport({ streamTransport: true, buffer: true });
  return {
    send: async (mail) => {
      const { message } = await composer.sendMail({ ...mail, from: options.from });
      await mkdir(options.folder, { recursive: true, mode: 0o700 });
      const file = path.join(options.folder, `${deps.clock.nowMs()}-${randomUUID().slice(0, 8)}.eml`);
      // Under its name only once it is whole: somebody may be watching the folder.
      await writeFile(`${file}.part`, message, { mode: 0o600, flag: 'wx' });
      await rename(`${file}.part`, file);
      deps.logger.warn({ file }, 'mail.written');
    },
    close: () => composer.close(),
  };
}
