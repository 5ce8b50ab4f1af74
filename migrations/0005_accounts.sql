-- What proves that somebody reads an address, and the mails that are still to be sent.
-- Locks: none that matter, all objects are new.

-- Sent to somebody, or printed; only its hash is kept, and using it removes it.
create table one_time_token (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  kind text not null check (kind in ('SETUP', 'EMAIL_VERIFICATION', 'PASSWORD_RESET', 'EMAIL_CHANGE')),
  user_id uuid references app_user (id) on delete cascade, -- null: SETUP, which belongs to nobody yet
  email bytea,                     -- the new address of EMAIL_CHANGE, sealed under the user's key
  created_at timestamptz not null,
  expires_at timestamptz not null,
  check ((kind = 'SETUP') = (user_id is null)),
  check ((kind = 'EMAIL_CHANGE') = (email is not null))
);
-- One of a kind at a time: who asks for another makes the earlier one worthless, however many ask at once.
create unique index one_time_token_by_user on one_time_token (user_id, kind) nulls not distinct;

-- Written by the transaction that causes the mail; the row goes once the mail has gone.
create table outgoing_mail (
  id uuid primary key,
  user_id uuid not null references app_user (id) on delete cascade,
  content bytea not null,          -- recipient, subject and text, sealed under the user's key
  created_at timestamptz not null
);
