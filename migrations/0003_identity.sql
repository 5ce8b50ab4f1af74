-- Who signs in, what they are in a channel, and the sessions they have.
-- Locks: none that matter, all objects are new; access_key is small and gets one word changed.

-- Somebody who signs in. What names them is sealed under their own data key (subject_key); look-ups go through keyed hashes.
create table app_user (
  id uuid primary key,
  email_hash bytea unique check (octet_length(email_hash) = 32), -- null once deleted
  email bytea,                     -- sealed; null once deleted
  email_verified_at timestamptz,
  display_name bytea,              -- sealed; null: none given, or deleted
  password_hash text,              -- Argon2id in PHC form; null: signs in by another identity
  platform_role text not null default 'USER' check (platform_role in ('USER', 'ADMIN', 'COMPLIANCE')),
  created_at timestamptz not null default now(),
  disabled_at timestamptz,         -- by an administrator
  deleted_at timestamptz
);
create index app_user_by_role on app_user (platform_role) where platform_role <> 'USER';

-- What somebody is in a channel.
create table channel_member (
  channel_id uuid not null references channel (id) on delete cascade,
  user_id uuid not null references app_user (id) on delete cascade,
  role text not null check (role in ('OWNER', 'MODERATOR', 'VIEWER')),
  created_at timestamptz not null default now(),
  primary key (channel_id, user_id)
);
create index channel_member_by_user on channel_member (user_id);
create index channel_owner on channel_member (channel_id) where role = 'OWNER';

-- A sign-in that lasts. Only the hash of its id is kept: who reads this table can sign in as nobody.
create table user_session (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  id uuid not null unique,         -- public: names it in lists, opens nothing
  user_id uuid not null references app_user (id) on delete cascade,
  created_at timestamptz not null,
  last_seen_at timestamptz not null,
  expires_at timestamptz not null, -- idle: moves with use
  absolute_expires_at timestamptz not null,
  mfa_at timestamptz,              -- when a second factor was last shown; null: never
  user_agent bytea,                -- sealed under the user's key
  address bytea                    -- sealed under the user's key
);
create index user_session_by_user on user_session (user_id);
create index user_session_by_expiry on user_session (expires_at);

-- The key derived from the master key opens an installation to its operator: OWNER is a role in a channel.
alter table access_key drop constraint access_key_kind_check;
update access_key set kind = 'OPERATOR' where kind = 'OWNER';
alter table access_key add constraint access_key_kind_check check (kind in ('OPERATOR', 'OVERLAY'));
