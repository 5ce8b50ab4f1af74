-- Second factors: codes of an authenticator app, passkeys, recovery codes.
-- Locks: none that matter, all objects are new.

-- An authenticator app, one per user.
create table totp_factor (
  user_id uuid primary key references app_user (id) on delete cascade,
  secret bytea not null,           -- sealed under the user's key
  created_at timestamptz not null,
  confirmed_at timestamptz,        -- by a first code; null: it counts for nothing yet
  last_step bigint                 -- the newest time step whose code was taken: neither it nor an older one is taken again
);

-- A passkey. The public key and the credential's id name nobody; the name that its user gave it might.
create table passkey (
  id uuid primary key,
  user_id uuid not null references app_user (id) on delete cascade,
  credential_id bytea not null unique check (octet_length(credential_id) between 1 and 1023),
  public_key bytea not null,       -- COSE
  counter bigint not null,         -- of signatures; stays 0 where the authenticator does not count
  transports text[] not null,
  name bytea not null,             -- sealed under the user's key
  created_at timestamptz not null,
  last_used_at timestamptz
);
create index passkey_by_user on passkey (user_id, created_at);

-- A code that stands in for a lost factor, once. 128 random bits: a plain hash is enough.
create table recovery_code (
  user_id uuid not null references app_user (id) on delete cascade,
  code_hash bytea not null check (octet_length(code_hash) = 32),
  created_at timestamptz not null,
  primary key (user_id, code_hash)
);

-- What a passkey is asked to sign, once and in the session it was made for.
create table passkey_challenge (
  challenge bytea primary key check (octet_length(challenge) = 32),
  user_id uuid not null references app_user (id) on delete cascade,
  sign_in_id uuid not null,
  purpose text not null check (purpose in ('REGISTER', 'VERIFY')),
  expires_at timestamptz not null
);
create index passkey_challenge_by_user on passkey_challenge (user_id, expires_at);

-- Attempts to show a factor since `since`; the row goes when one succeeds.
create table mfa_attempt (
  user_id uuid primary key references app_user (id) on delete cascade,
  since timestamptz not null,
  attempts integer not null
);
