-- Identities that somebody has elsewhere and signs in with here: Clerk, and providers of OpenID Connect.
-- Locks: user_session is exclusively locked for the moment that two empty columns take; the other objects are new.

-- An account's identity at an issuer. Who that is there, only a keyed hash tells: it finds the account and names nobody.
create table external_identity (
  id uuid primary key,
  user_id uuid not null references app_user (id) on delete cascade,
  issuer text not null check (length(issuer) between 1 and 500),
  subject_hash bytea not null check (octet_length(subject_hash) = 32),
  created_at timestamptz not null,
  last_used_at timestamptz,        -- null: linked, and not signed in with since
  unique (issuer, subject_hash)
);
create index external_identity_by_user on external_identity (user_id, created_at);

-- What counts once, or holds for a while: proofs that were used, calls that were acted on, sessions that ended elsewhere. Each row
-- goes once nothing could come of it any more.
create table external_memory (
  kind text not null check (kind in ('CLERK_TOKEN', 'CLERK_EVENT', 'CLERK_ENDED', 'OIDC_FLOW')),
  key_hash bytea not null check (octet_length(key_hash) = 32),
  expires_at timestamptz not null,
  primary key (kind, key_hash)
);
create index external_memory_by_expiry on external_memory (expires_at);

-- Where a sign-in came from, so that it ends with that: the identity, and the session at its issuer. It goes on under another id
-- and token, and keeps both.
alter table user_session
  add column external_identity_id uuid references external_identity (id) on delete set null,
  add column external_session_hash bytea check (octet_length(external_session_hash) = 32);
create index user_session_by_external_identity on user_session (external_identity_id) where external_identity_id is not null;
create index user_session_by_external_session on user_session (external_session_hash) where external_session_hash is not null;
