-- Invitations into a channel's team.
-- Locks: none that matter, the table is new.

-- Only the token's hash is kept: who reads this table can accept nothing. To whom it is addressed is sealed under a data
-- key of the invitation's own (subject_key), and goes with that key once the invitation is accepted, revoked or expired.
create table invitation (
  id uuid primary key,
  channel_id uuid not null references channel (id) on delete cascade,
  role text not null check (role in ('MODERATOR', 'VIEWER')), -- owners are made by owners, never by what can be forwarded
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  addressed boolean not null,       -- to one e-mail address; else it is a link for whoever has it
  email_hash bytea,                 -- keyed, as app_user.email_hash; null for a link, and once it is closed
  email bytea,                      -- sealed; null for a link, and once it is closed
  invited_by uuid references app_user (id) on delete cascade, -- null: the holder of the installation's key
  created_at timestamptz not null,
  expires_at timestamptz not null,
  accepted_by uuid references app_user (id) on delete cascade,
  accepted_at timestamptz,
  revoked_at timestamptz,
  check ((accepted_at is null) = (accepted_by is null)),
  check (accepted_at is null or revoked_at is null),
  check ((email is null) = (email_hash is null)),
  check (addressed or email is null)
);
create index invitation_open on invitation (channel_id, id) where accepted_at is null and revoked_at is null;
create index invitation_by_address on invitation (expires_at) where email is not null;
