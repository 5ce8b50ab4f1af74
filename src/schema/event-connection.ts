import { builder } from './builder.ts';
import { pageArguments } from './connection.ts';
import { EventTypeEnum } from './event-enums.ts';
import { Event } from './refs.ts';
import { VIEWER } from './scopes.ts';

export const EventConnection = builder.connectionObject(
  { type: Event, name: 'EventConnection', description: 'A page of stored events.', authScopes: VIEWER },
  { name: 'EventEdge', description: 'An event on its page.', authScopes: VIEWER },
);

const EventOrderEnum = builder.enumType('EventOrder', {
  description: 'In which order stored events come. By `occurredAt`, then `sequence`.',
  values: {
    NEWEST_FIRST: { description: 'Back in time.' },
    OLDEST_FIRST: { description: 'As it happened.' },
  } as const,
});

const EventHistoryFilter = builder.inputType('EventHistoryFilter', {
  description: 'Which stored events. Everything named must hold.',
  fields: (t) => ({
    types: t.field({
      type: [EventTypeEnum],
      description: 'Any of these types; an empty list matches nothing. Absent or null: every type.',
    }),
    from: t.field({ type: 'DateTime', description: 'Occurred at this moment or later.' }),
    to: t.field({ type: 'DateTime', description: 'Occurred before this moment.' }),
    memberId: t.id({ description: 'Done by this audience member.' }),
    minimumCoins: t.field({
      type: 'Coins',
      description: 'Leaves out gifts whose streak has come to less. Concerns nothing but gifts.',
    }),
    text: t.string({
      description:
        'All of these words, in any order and case, in the chat and the questions of a session; 200 characters at most. Texts are stored encrypted, so only `Session.events` can be searched, and a page may end early: go on from `endCursor` while `hasNextPage` says so.',
    }),
    includeReplays: t.boolean({
      description:
        'Also events of replays, which repeat what is there. A session that is a replay always shows its own.',
    }),
  }),
});

/** The arguments of every connection of events. */
export const eventArguments = {
  ...pageArguments,
  ...builder.args((t) => ({
    order: t.field({
      type: EventOrderEnum,
      required: true,
      defaultValue: 'NEWEST_FIRST',
      description: 'Which end to begin from.',
    }),
    filter: t.field({ type: EventHistoryFilter, description: 'Which events. Absent or null: all.' }),
  })),
};
