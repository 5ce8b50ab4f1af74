-- Who did what: a log that is only ever added to, and reasons of staff to look into a channel.
-- Locks: none that matter, all objects are new.

-- One row per mutation, sign-in, refusal of what is dangerous, and read of personal data by staff. Each is sealed by a keyed hash
-- over itself and the hash before it: who can write here but has no master key can change nothing unseen.
create table audit_entry (
  sequence bigint primary key check (sequence > 0), -- without holes
  id uuid not null unique,
  at timestamptz(3) not null,
  actor_kind text not null check (actor_kind in ('ANONYMOUS', 'OPERATOR', 'OVERLAY', 'USER', 'CLIENT', 'SYSTEM')),
  actor_id text,                   -- as the API shows it; null for nobody known
  role text,                       -- of the actor, in the channel if there is one
  channel_id uuid,
  action text not null,            -- the mutation's name, or what else was done
  target text,                     -- as the API shows it: what it was done to
  outcome text not null check (outcome in ('DONE', 'REFUSED', 'FAILED', 'UNKNOWN')),
  code text,                       -- why not
  request_id text,
  address bytea,                   -- sealed under the actor's key: gone with it
  details jsonb not null,          -- ids, roles, scopes; nothing that names a person
  previous_hash bytea not null check (octet_length(previous_hash) = 32),
  hash bytea not null check (octet_length(hash) = 32)
);
create index audit_entry_by_actor on audit_entry (actor_id, sequence);
create index audit_entry_by_channel on audit_entry (channel_id, sequence);
create index audit_entry_by_action on audit_entry (action, sequence);
create index audit_entry_by_time on audit_entry (at, sequence);

-- Where the log ends. Locked while an entry is added, so entries have an order; its own keyed hash shows when the end was cut off.
create table audit_head (
  is_only boolean primary key default true check (is_only),
  sequence bigint not null,
  hash bytea not null check (octet_length(hash) = 32),
  seal bytea -- null until the first entry
);
insert into audit_head (sequence, hash) values (0, decode(repeat('00', 32), 'hex'));

create function refuse_audit_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_entry_append_only before update or delete on audit_entry
  for each row execute function refuse_audit_change();
create trigger audit_entry_no_truncate before truncate on audit_entry
  for each statement execute function refuse_audit_change();
create trigger audit_head_stays before delete on audit_head
  for each row execute function refuse_audit_change();
create trigger audit_head_no_truncate before truncate on audit_head
  for each statement execute function refuse_audit_change();

-- What is about to be done: written before, taken away together with adding the entry. One that nobody keeps alive belongs to a
-- process that died in between.
create table audit_intent (
  id uuid primary key, -- of the entry to come
  at timestamptz(3) not null,
  kept_at timestamptz not null,
  actor_kind text not null,
  actor_id text,
  role text,
  channel_id uuid,
  action text not null,
  target text,
  request_id text,
  address bytea,
  details jsonb not null
);
create index audit_intent_by_age on audit_intent (kept_at);

-- A reason for which staff may look into a channel for a while.
create table staff_access (
  id uuid primary key,
  user_id uuid not null references app_user (id) on delete cascade,
  channel_id uuid not null references channel (id) on delete cascade,
  reason bytea not null, -- sealed under the user's key
  opened_at timestamptz not null,
  expires_at timestamptz not null
);
create index staff_access_by_user on staff_access (user_id, expires_at);
