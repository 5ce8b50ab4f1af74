import type { InvitedRole } from '../../db/invitation.ts';
import { NotPermittedError } from '../../errors/not-permitted.ts';
import type { JobQueue } from '../../jobs/job-queue.ts';
import type { ChannelId } from '../../lib/ids.ts';
import { RateLimitedError } from '../../limits/errors.ts';
import type { BucketRule, Limiter } from '../../limits/limiter.ts';
import { queueMail } from '../../mail/outbox.ts';
import type { MasterKey } from '../../privacy/master-key.ts';
import { emailHash, parseEmailAddress } from '../accounts/email-address.ts';
import { mayInChannel } from '../permissions.ts';
import type { Viewer } from '../viewer.ts';
import { createInvitation, type InvitationDeps, type IssuedInvitation } from './invitations.ts';

/** Invitations that one user may send by mail: what they have to say to strangers must not become a nuisance. */
const MAILS_BY_USER: BucketRule = { capacity: 20, restorePerSecond: 20 / 3_600 };
/** Invitations that one address gets by mail, from everybody. */
const MAILS_TO_ADDRESS: BucketRule = { capacity: 5, restorePerSecond: 5 / 86_400 };

interface MailDeps extends InvitationDeps {
  readonly jobs: JobQueue;
  readonly limiter: Limiter;
  readonly masterKey: MasterKey;
  readonly publicUrl: string;
}

/**
 * Invites the holder of an e-mail address, by a mail in the outbox. It is sealed under the key of who invites, and dies
 * with their account; so the holder of the installation's key, who is no user, invites by link.
 * @throws InvalidInputError when the text is no address
 * @throws RateLimitedError, ChannelNotFoundError, NotPermittedError, TooManyInvitationsError
 */
export async function inviteByMail(
  deps: MailDeps,
  viewer: Viewer,
  request: {
    readonly channelId: ChannelId;
    readonly role: InvitedRole;
    readonly hours: number;
    readonly email: string;
  },
): Promise<IssuedInvitation> {
  if (viewer.kind !== 'USER') throw new NotPermittedError();
  const { userId } = viewer;
  const { hours } = request;
  const email = parseEmailAddress(request.email, 'email');
  const hash = emailHash(deps.masterKey, email);
  // Who may not invite uses nobody's bucket up. The invitation itself asks again, under its lock.
  if (mayInChannel(viewer, request.channelId, 'MEMBERS_MANAGE')) {
    await take(deps.limiter, `invitation:user:${userId}`, MAILS_BY_USER);
    await take(deps.limiter, `invitation:address:${hash.toString('hex')}`, MAILS_TO_ADDRESS);
  }
  return await createInvitation(deps, viewer, { ...request, address: { email, hash } }, (tx, { token }) =>
    queueMail(deps, tx, { userId, to: email, letter: { kind: 'INVITATION', token, hours } }),
  );
}

async function take(limiter: Limiter, key: string, rule: BucketRule): Promise<void> {
  const { allowed, retryAfterSeconds } = await limiter.consume(key, 1, rule);
  if (!allowed) throw new RateLimitedError(retryAfterSeconds);
}
