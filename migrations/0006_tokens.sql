-- Tokens for programs: the keys that sign access tokens, and families of refresh tokens.
-- Locks: none that matter, all objects are new.

-- A key that signs access tokens. NEXT is published before it signs, so that whoever keeps a copy of the published keys knows it
-- by then; ACTIVE signs; RETIRED is published until the last token it signed has expired.
create table signing_key (
  kid text primary key check (length(kid) = 43), -- RFC 7638 thumbprint
  public_key bytea not null,                     -- SPKI, DER
  private_key bytea not null,                    -- PKCS #8, DER, sealed under a key derived from the master key
  state text not null check (state in ('NEXT', 'ACTIVE', 'RETIRED')),
  created_at timestamptz not null,
  activated_at timestamptz,
  retired_at timestamptz,
  check ((state = 'RETIRED') = (retired_at is not null))
);
create unique index signing_key_active on signing_key (state) where state = 'ACTIVE';
create unique index signing_key_next on signing_key (state) where state = 'NEXT';

-- What one program was given once, and all refresh tokens that came of it.
create table token_family (
  id uuid primary key,
  user_id uuid not null references app_user (id) on delete cascade,
  name bytea,                      -- what its user calls it; sealed under their key
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  expires_at timestamptz not null, -- however much it is used
  mfa_at timestamptz,              -- when its user had last shown a second factor; null: never
  generation integer not null default 1, -- of the token that is good
  revoked_at timestamptz,
  revoked_because text check (revoked_because in ('USER', 'REUSE')),
  check ((revoked_at is null) = (revoked_because is null))
);
create index token_family_by_user on token_family (user_id);
create index token_family_by_expiry on token_family (expires_at);

-- Every refresh token that was ever given out in a family that has not expired: an old one that comes back was stolen.
create table refresh_token (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  family_id uuid not null references token_family (id) on delete cascade,
  generation integer not null,
  created_at timestamptz not null,
  used_at timestamptz,             -- when it was exchanged for the next one
  unique (family_id, generation)
);
