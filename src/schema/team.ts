import type { OpenInvitation, TeamMember as TeamMemberRow } from '../auth/members/lists.ts';
import type { ChannelPermission } from '../auth/permissions.ts';
import type { ChannelRow } from '../db/channel.ts';
import type { ChannelMemberRow } from '../db/channel-member.ts';
import { channelInvitations, channelOf, channelTeam, userMemberships, viewerCan } from '../resolvers/team.ts';
import { builder } from './builder.ts';
import { connectionCost, pageArguments } from './connection.ts';
import { Channel } from './refs.ts';
import { ChannelRoleEnum, InvitedRoleEnum } from './role-enums.ts';
import { inChannel, itsChannel, typeInChannel, USER, VIEWER } from './scopes.ts';
import { User } from './user.ts';

export const TeamMember = builder.objectRef<TeamMemberRow>('TeamMember').implement({
  description: "Somebody of a channel's team. Seen by its owners and moderators, and by administrators.",
  authScopes: typeInChannel('MEMBERS_VIEW', itsChannel),
  fields: (t) => ({
    userId: t.exposeID('userId', { description: 'Names the user. Opaque, prefixed `usr_`.' }),
    displayName: t.exposeString('displayName', {
      nullable: true,
      description: 'What they call themselves. Null when they said nothing.',
    }),
    role: t.expose('role', { type: ChannelRoleEnum, description: 'What they are in the channel.' }),
    since: t.expose('since', { type: 'DateTime', description: 'When they came into the team.' }),
  }),
});

const TeamConnection = builder.connectionObject(
  {
    type: TeamMember,
    name: 'ChannelTeamConnection',
    description: "A page of a channel's team.",
    authScopes: VIEWER,
  },
  { name: 'ChannelTeamEdge', description: 'A member on their page.', authScopes: VIEWER },
);

export const ChannelInvitation = builder.objectRef<OpenInvitation>('ChannelInvitation').implement({
  description: "An invitation into a channel's team. Seen by its owners.",
  authScopes: typeInChannel('MEMBERS_MANAGE', itsChannel),
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `inv_`. Opens nothing.' }),
    role: t.expose('role', { type: InvitedRoleEnum, description: 'What it makes of who accepts it.' }),
    email: t.exposeString('email', {
      nullable: true,
      description: 'To whom it went. Null for a link, and once it is closed.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'From when on it is good for nothing.',
    }),
  }),
});

const InvitationConnection = builder.connectionObject(
  {
    type: ChannelInvitation,
    name: 'ChannelInvitationConnection',
    description: 'A page of open invitations.',
    authScopes: VIEWER,
  },
  { name: 'ChannelInvitationEdge', description: 'An invitation on its page.', authScopes: VIEWER },
);

export const Membership = builder.objectRef<ChannelMemberRow>('Membership').implement({
  description: 'What you are in a channel.',
  authScopes: USER,
  fields: (t) => ({
    channel: t.field({ type: Channel, description: 'The channel.', resolve: channelOf }),
    role: t.expose('role', { type: ChannelRoleEnum, description: 'What you are in it.' }),
    since: t.expose('since', { type: 'DateTime', description: 'Since when you belong to it.' }),
  }),
});

const MembershipConnection = builder.connectionObject(
  { type: Membership, name: 'MembershipConnection', description: 'A page of memberships.', authScopes: USER },
  { name: 'MembershipEdge', description: 'A membership on its page.', authScopes: USER },
);

const of = (permission: ChannelPermission) => inChannel(permission, ({ id }: ChannelRow) => id);

builder.objectFields(Channel, (t) => ({
  team: t.field({
    type: TeamConnection,
    authScopes: of('MEMBERS_VIEW'),
    args: pageArguments,
    complexity: connectionCost,
    description: 'Who belongs to it, in the order of their accounts.',
    resolve: channelTeam,
  }),
  invitations: t.field({
    type: InvitationConnection,
    authScopes: of('MEMBERS_MANAGE'),
    args: pageArguments,
    complexity: connectionCost,
    description: 'Invitations that can still be accepted, the oldest first.',
    resolve: channelInvitations,
  }),
}));

/** By the name of each field: the permission it tells of, and what it lets a client offer. */
const ABILITIES = {
  viewerCanManage: ['CHANNEL_MANAGE', 'connect and disconnect it'],
  viewerCanReadLive: ['LIVE_READ', 'follow it live'],
  viewerCanReadHistory: ['HISTORY_READ', 'read its history'],
  viewerCanSeeNames: ['PII_READ', 'see who its viewers are and what they write; else there are aliases'],
  viewerCanSeeAnalytics: ['ANALYTICS_FULL', 'see more than totals'],
  viewerCanRunReplays: ['REPLAY_RUN', 'start and stop replays'],
  viewerCanRotateOverlayKey: ['OVERLAY_MANAGE', 'see and replace the key of its overlays'],
  viewerCanSeeTeam: ['MEMBERS_VIEW', 'see its team'],
  viewerCanManageTeam: ['MEMBERS_MANAGE', 'invite people, change their roles and remove them'],
  viewerCanSeeClients: ['CLIENTS_VIEW', "see its integrators' clients"],
  viewerCanManageClients: ['CLIENTS_MANAGE', "make and change its integrators' clients"],
} as const satisfies Readonly<Record<string, readonly [ChannelPermission, string]>>;

for (const [name, [permission, ability]] of Object.entries(ABILITIES)) {
  builder.objectField(Channel, name, (t) =>
    t.boolean({ description: `Whether you may ${ability}.`, resolve: viewerCan(permission) }),
  );
}

builder.objectField(User, 'memberships', (t) =>
  t.field({
    type: MembershipConnection,
    authScopes: USER,
    args: pageArguments,
    complexity: connectionCost,
    description: 'The channels they belong to.',
    resolve: userMemberships,
  }),
);
