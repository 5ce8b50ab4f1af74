-- Integrators' applications: their keys, the operations they have registered, what they used.
-- Locks: none that matter, all objects are new.

-- An application that belongs to a channel.
create table client (
  id uuid primary key,
  channel_id uuid not null references channel (id) on delete cascade,
  name text not null check (length(name) between 1 and 80),
  created_by uuid references app_user (id) on delete set null, -- null: the operator, or somebody deleted
  allowed_origins text[] not null default '{}' check (cardinality(allowed_origins) <= 20),
  cost_per_minute integer check (cost_per_minute between 1 and 1000000), -- null: what everybody has
  manifest_version integer not null default 0,
  created_at timestamptz not null,
  disabled_at timestamptz        -- by an administrator: none of its keys opens anything
);
create index client_by_channel on client (channel_id, id);

-- What a client shows itself by. Only the hash is kept; the prefix is for people to tell two keys apart.
create table client_key (
  id uuid primary key,
  client_id uuid not null references client (id) on delete cascade,
  key_hash bytea not null unique check (octet_length(key_hash) = 32),
  prefix text not null check (length(prefix) = 8),
  scopes text[] not null check (cardinality(scopes) between 1 and 6 and scopes <@ array[
    'EVENTS_READ', 'EVENTS_PII', 'HISTORY_READ', 'ANALYTICS_READ', 'RULES_READ', 'RULES_WRITE']),
  created_by uuid references app_user (id) on delete set null, -- who has seen the secret; null: the operator, or somebody deleted
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,      -- within a minute
  check (expires_at > created_at and expires_at <= created_at + interval '366 days')
);
create index client_key_by_client on client_key (client_id, id);

-- A document that a client registered, once, whichever manifests list it. The id is the sha256 of the text as published.
create table client_operation (
  client_id uuid not null references client (id) on delete cascade,
  operation_hash bytea not null check (octet_length(operation_hash) = 32),
  name text not null,
  document text not null,
  primary key (client_id, operation_hash)
);

-- What a client published, version by version. The two newest versions run, so that a release can be rolled out.
create table client_manifest (
  id uuid primary key,
  client_id uuid not null references client (id) on delete cascade,
  version integer not null check (version >= 1),
  operation_hashes bytea[] not null check (cardinality(operation_hashes) between 1 and 500),
  created_at timestamptz not null,
  unique (client_id, version)
);

-- How often an operation ran on a day (UTC).
create table client_operation_usage (
  client_id uuid not null references client (id) on delete cascade,
  operation_hash bytea not null,
  day date not null,
  runs bigint not null,
  primary key (client_id, operation_hash, day)
);

-- How often a client asked for what is deprecated on a day (UTC), as in `Type.field`.
create table client_deprecation_usage (
  client_id uuid not null references client (id) on delete cascade,
  coordinate text not null,
  day date not null,
  uses bigint not null,
  primary key (client_id, coordinate, day)
);
