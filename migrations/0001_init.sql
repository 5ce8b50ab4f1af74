-- Channels, streams, sessions, events, people and rollups: the ground everything later stands on.
-- Locks: none that matter, all objects are new.

-- The only role that may change or delete events. Nobody logs in as it: the retention job does SET ROLE.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tallylight_retention') then
    create role tallylight_retention nologin;
  end if;
exception when duplicate_object or unique_violation then null; -- another database of this cluster was faster
end
$$;

-- A creator's place here.
create table channel (
  id uuid primary key,
  provider text not null check (provider in ('TIKTOK', 'PLATFORM')),
  handle text not null check (handle = lower(handle) and length(handle) between 2 and 24),
  wanted boolean not null default true,           -- somebody wants it connected
  overlay_key_version integer not null default 1, -- the overlay key is derived from the master key and this number
  sign_key bytea,              -- the channel's own sign-server key, encrypted under the channel's key; null: the installation's
  created_at timestamptz not null default now(),
  unique (provider, handle)
);

-- Where the channel's connection stands. Written by the worker that holds the lease.
create table channel_connection (
  channel_id uuid primary key references channel (id) on delete cascade,
  state text not null check (state in
    ('CONNECTING', 'LIVE', 'STALLED', 'RECONNECTING', 'OFFLINE', 'ENDED', 'SUSPENDED', 'BLOCKED', 'STOPPED')),
  reason text,                -- a sentence for a person, null when all is well
  since timestamptz not null,
  retry_at timestamptz,       -- next attempt, null when none is planned
  attempt integer not null default 0,
  epoch bigint not null,      -- of the lease; an older worker's write is refused by comparing it
  updated_at timestamptz not null
);

-- One room of a provider.
create table stream (
  id uuid primary key,
  channel_id uuid not null references channel (id),
  provider text not null check (provider in ('TIKTOK', 'PLATFORM')),
  external_id text not null,
  title text,
  simulated boolean not null default false,
  started_at timestamptz not null,
  ended_at timestamptz,
  end_reason text check (end_reason in ('ENDED', 'SUSPENDED', 'OFFLINE')),
  unique (channel_id, provider, external_id)
);
create index stream_by_channel on stream (channel_id, started_at desc, id desc);

-- One connection to a stream, or one replay of an earlier session.
create table session (
  id uuid primary key,
  stream_id uuid not null references stream (id),
  channel_id uuid not null references channel (id),
  source text not null check (source in ('LIVE', 'REPLAY')),
  state text not null check (state in ('LIVE', 'STALLED', 'ENDED', 'FAILED', 'CANCELLED')),
  state_reason text,
  started_at timestamptz not null,
  ended_at timestamptz,
  -- Replays only:
  replay_of uuid references session (id),
  replay_speed double precision check (replay_speed > 0), -- null: as fast as possible
  replay_total bigint,
  replay_done bigint not null default 0,
  replay_cancel_requested boolean not null default false
);
create index session_by_stream on session (stream_id, started_at desc, id desc);

-- A stretch of a stream of which we cannot claim to have everything.
create table stream_gap (
  id uuid primary key,
  stream_id uuid not null references stream (id),
  channel_id uuid not null references channel (id),
  from_at timestamptz not null,
  to_at timestamptz check (to_at >= from_at), -- null: still open
  reason text not null check (reason in ('SILENCE', 'DISCONNECTED', 'RESTART', 'OVERLOAD'))
);
create index stream_gap_by_stream on stream_gap (stream_id, from_at, id);
create unique index stream_gap_open on stream_gap (stream_id) where to_at is null;

-- A data key per data subject, wrapped by the master key. Destroying the row makes what it encrypted unreadable.
-- Subjects: audience members, and channels (for provider data that is about nobody in particular).
create table subject_key (
  subject_id uuid primary key,
  wrapped_key bytea not null,
  master_key_version integer not null,
  created_at timestamptz not null default now()
);

-- What the storage worker writes (from here on: members, events, rollups) has no foreign keys to channel, stream and
-- session. Events may reach the database before the rows of their session do (it was away when the session began), and
-- an event must never wait for them; and a key check would lock the stream's row against ingest with every batch.

-- A viewer known from events, per channel. Found by a keyed hash of the provider's user id, never by handle.
create table audience_member (
  id uuid primary key,
  channel_id uuid not null,
  provider text not null check (provider in ('TIKTOK', 'PLATFORM')),
  user_hash bytea not null check (octet_length(user_hash) = 16),
  handle_hash bytea not null check (octet_length(handle_hash) = 16),
  profile bytea not null,     -- encrypted JSON: userId, uniqueId, displayName, avatarUrl
  profile_hash bytea not null check (octet_length(profile_hash) = 16), -- keyed; tells whether the profile changed
  follow_role text not null check (follow_role in ('NONE', 'FOLLOWER', 'FRIEND')),
  is_moderator boolean not null,
  is_subscriber boolean not null,
  team_member_level integer not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  unique (channel_id, provider, user_hash)
);
create index audience_member_by_handle on audience_member (channel_id, handle_hash);

-- Every handle a member was seen with.
create table member_handle (
  member_id uuid not null references audience_member (id) on delete cascade,
  handle_hash bytea not null check (octet_length(handle_hash) = 16),
  handle bytea not null,      -- encrypted
  first_seen_at timestamptz not null,
  primary key (member_id, handle_hash)
);

-- The provider deletes by person: chat of this member up to this time is not shown any more.
create table message_redaction (
  channel_id uuid not null,
  member_id uuid not null references audience_member (id) on delete cascade,
  redacted_before timestamptz not null,
  primary key (channel_id, member_id)
);

-- Events: append-only, by day. Only the columns that queries need stand apart; personal data is in `personal`, encrypted
-- under the subject's key; everything else of the payload is in `payload`.
create table event (
  event_id bytea not null check (octet_length(event_id) = 32),
  occurred_at timestamptz not null,
  sequence bigint not null,
  channel_id uuid not null,
  stream_id uuid not null,
  session_id uuid not null,
  trigger_id smallint not null,
  provider smallint not null,  -- 1 TIKTOK, 2 PLATFORM
  source smallint not null,    -- 1 LIVE, 2 REPLAY
  history boolean not null,
  member_id uuid,
  coins bigint,                -- gifts: what this event adds
  streak_coins bigint,         -- gifts: what the streak has come to; a minimum of coins is held against this
  ingested_at timestamptz not null,
  stored_at timestamptz not null default now(),
  payload jsonb not null,
  personal bytea,
  subject_id uuid,             -- whose key encrypted `personal`: the member, else the channel
  primary key (event_id, occurred_at)
) partition by range (occurred_at);
create index event_by_channel on event (channel_id, occurred_at, sequence);
create index event_by_type on event (channel_id, trigger_id, occurred_at, sequence);
create index event_by_session on event (session_id, occurred_at, sequence);
create index event_by_member on event (member_id, occurred_at, sequence) where member_id is not null;
create index event_by_time on event using brin (occurred_at);

create function refuse_event_change() returns trigger language plpgsql as $$
begin
  if current_user = 'tallylight_retention' then
    return coalesce(new, old);
  end if;
  raise exception 'events are append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end
$$;
-- The row trigger is cloned to every partition. Truncation triggers are not, so each partition gets its own below.
create trigger event_append_only before update or delete on event
  for each row execute function refuse_event_change();
create trigger event_no_truncate before truncate on event
  for each statement execute function refuse_event_change();
grant select, update, delete, truncate on event to tallylight_retention;

-- Makes the partition of one day (UTC) if it is missing, and says whether it did. Safe to call from two processes at
-- once. Made apart and then attached: that does not lock readers and writers of the other partitions out.
create function ensure_event_partition(day date) returns boolean language plpgsql as $$
declare
  part text := 'event_' || to_char(day, 'YYYYMMDD');
begin
  if to_regclass(part) is not null then return false; end if;
  -- Waits for another maker and, unlike an advisory lock, makes what that one made visible to the next line.
  lock table event in share update exclusive mode;
  if to_regclass(part) is not null then return false; end if;
  execute format('create table %I (like event including defaults including constraints)', part);
  execute format('create trigger event_no_truncate before truncate on %I for each statement execute function refuse_event_change()', part);
  execute format('grant select, update, delete, truncate on %I to tallylight_retention', part);
  execute format('alter table event attach partition %I for values from (%L) to (%L)',
    part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
  return true;
end
$$;

-- Rollups, kept by the statement that inserts the events, from the rows really inserted. Replays do not count.
create table stream_total (
  stream_id uuid primary key,
  channel_id uuid not null,
  events bigint not null default 0,
  chats bigint not null default 0,
  gifts bigint not null default 0,
  coins bigint not null default 0,
  likes_sampled bigint not null default 0,
  likes_max bigint not null default 0,
  follows bigint not null default 0,
  shares bigint not null default 0,
  joins bigint not null default 0,
  subscribes bigint not null default 0,
  viewers_now bigint not null default 0,
  viewers_at timestamptz,
  viewers_max bigint not null default 0,
  last_sequence bigint not null default 0,
  last_event_at timestamptz
);

create table stream_minute (
  stream_id uuid not null,
  minute timestamptz not null,
  events bigint not null default 0,
  chats bigint not null default 0,
  gifts bigint not null default 0,
  coins bigint not null default 0,
  likes_sampled bigint not null default 0,
  follows bigint not null default 0,
  shares bigint not null default 0,
  joins bigint not null default 0,
  subscribes bigint not null default 0,
  viewers_max bigint not null default 0,
  primary key (stream_id, minute)
);

create table stream_gifter (
  stream_id uuid not null,
  member_id uuid not null,
  gifts bigint not null,
  coins bigint not null,
  last_gift_at timestamptz not null,
  primary key (stream_id, member_id)
);
create index stream_gifter_top on stream_gifter (stream_id, coins desc, member_id);

-- The highest sequence stored per channel: where a bus that forgot continues.
create table channel_sequence (
  channel_id uuid primary key,
  last_sequence bigint not null
);

-- Gifts as they were seen: names are localised, the id is the key.
create table gift_catalogue (
  provider text not null,
  gift_id text not null,
  name text not null,
  diamond_count bigint not null,
  image_url text,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  primary key (provider, gift_id)
);

-- One token bucket per sign key, shared by all workers.
create table sign_budget (
  key_hash bytea primary key check (octet_length(key_hash) = 32),
  tokens double precision not null,
  refilled_at timestamptz not null,
  blocked_until timestamptz
);

-- Keys that open the API until accounts exist. Only hashes are kept.
create table access_key (
  id uuid primary key,
  kind text not null check (kind in ('OWNER', 'OVERLAY')),
  channel_id uuid references channel (id) on delete cascade,
  key_hash bytea not null unique check (octet_length(key_hash) = 32),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  check ((kind = 'OVERLAY') = (channel_id is not null))
);
