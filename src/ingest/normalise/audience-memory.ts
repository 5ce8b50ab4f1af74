import type { EventUser, FollowRole } from '../../events/unified-event.ts';

/** People remembered, first seen first forgotten. The busiest rooms have about as many active viewers. */
export const PEOPLE_REMEMBERED_MAX = 5_000;
const PEOPLE_FORGOTTEN_AT_ONCE = 500;

/**
 * What a session's messages have said about each person. Only chats, gifts and emotes tell the roles that the host gave,
 * likes and joins leave them out: without memory a subscriber would stop being one with every like.
 */
export class AudienceMemory {
  readonly #people = new Map<string, EventUser>();

  /** The person as now known. `tellsRoles`: the message tells roles, so that a role it leaves out has been taken away. */
  meet(user: EventUser, tellsRoles: boolean): EventUser {
    const known = this.#people.get(user.userId);
    if (known === undefined && this.#people.size >= PEOPLE_REMEMBERED_MAX) this.#forgetOldest();
    const now = known === undefined ? user : completed(user, known, tellsRoles);
    this.#people.set(user.userId, now);
    return now;
  }

  /** Many at once: a Map walks over the places of deleted first entries whenever it is asked for the first. */
  #forgetOldest(): void {
    for (const oldest of this.#people.keys()) {
      if (this.#people.size <= PEOPLE_REMEMBERED_MAX - PEOPLE_FORGOTTEN_AT_ONCE) return;
      this.#people.delete(oldest);
    }
  }

  /** The person as last met; null when not met lately. */
  find(userId: string): EventUser | null {
    return this.#people.get(userId) ?? null;
  }
}

function completed(user: EventUser, known: EventUser, tellsRoles: boolean): EventUser {
  return {
    userId: user.userId,
    uniqueId: user.uniqueId || known.uniqueId,
    displayName: user.displayName || known.displayName,
    avatarUrl: user.avatarUrl ?? known.avatarUrl,
    followRole: tellsRoles ? user.followRole : closer(user.followRole, known.followRole),
    isModerator: user.isModerator || (!tellsRoles && known.isModerator),
    isSubscriber: user.isSubscriber || (!tellsRoles && known.isSubscriber),
    teamMemberLevel: user.teamMemberLevel || (tellsRoles ? 0 : known.teamMemberLevel),
  };
}

function closer(a: FollowRole, b: FollowRole): FollowRole {
  if (a === 'FRIEND' || b === 'FRIEND') return 'FRIEND';
  return a === 'FOLLOWER' || b === 'FOLLOWER' ? 'FOLLOWER' : 'NONE';
}
