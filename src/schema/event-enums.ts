import { builder } from './builder.ts';

export const EventTypeEnum = builder.enumType('EventType', {
  description: 'The types of events. More may come.',
  values: {
    CHAT: { description: 'Somebody wrote in the chat.' },
    GIFT: { description: 'Somebody gave gifts: one step of a streak, or one alone.' },
    LIKE: { description: 'Somebody liked the stream, usually many times at once.' },
    FOLLOW: { description: 'Somebody began to follow the creator.' },
    SHARE: { description: 'Somebody shared the stream.' },
    JOIN: { description: 'Somebody came in.' },
    SUBSCRIBE: { description: 'Somebody subscribed, or renewed.' },
    EMOTE: { description: 'Somebody sent an emote as a message of its own.' },
    BATTLE: { description: 'A battle with other streamers began, moved on or ended.' },
    CONNECTED: { description: 'We connected to the room.' },
    DISCONNECTED: { description: 'The connection to the room ended.' },
    ERROR: { description: 'Something went wrong on our side.' },
    RAW: { description: 'A message of the provider that this version does not know.' },
    ROOM_USER: { description: 'How many viewers there are.' },
    STREAM_END: { description: 'The stream ended.' },
    MESSAGE_DELETED: { description: "The provider deleted people's messages: take them off the screen." },
    QUESTION: { description: 'Somebody asked a question in the Q&A.' },
    ENVELOPE: { description: 'A treasure chest of coins.' },
  } as const,
});

export const EventSourceEnum = builder.enumType('EventSource', {
  description: 'How events came to be.',
  values: {
    LIVE: { description: 'From the provider, as it happened.' },
    REPLAY: { description: 'From an earlier session, replayed. Left out of totals.' },
  } as const,
});

export const FollowRoleEnum = builder.enumType('FollowRole', {
  description: 'How somebody follows the creator.',
  values: {
    NONE: { description: 'Does not follow, or is not known to.' },
    FOLLOWER: { description: 'Follows the creator.' },
    FRIEND: { description: 'Both follow each other.' },
  } as const,
});
