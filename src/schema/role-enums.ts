import { builder } from './builder.ts';

export const ChannelRoleEnum = builder.enumType('ChannelRole', {
  description: 'What somebody is in a channel.',
  values: {
    OWNER: { description: 'May do everything in it.' },
    MODERATOR: { description: 'Sees everything of it, names and texts among them, and changes nothing.' },
    VIEWER: { description: 'Sees its history with aliases in place of people, and totals.' },
  } as const,
});

export const InvitedRoleEnum = builder.enumType('InvitedRole', {
  description: 'What an invitation makes of somebody. Owners are made by owners only.',
  values: {
    MODERATOR: { description: 'A moderator.' },
    VIEWER: { description: 'A viewer.' },
  } as const,
});
