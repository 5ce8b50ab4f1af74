-- One PostgreSQL role per kind of process, each with what its work needs and nothing else: a mistake in the API cannot write
-- events, and ingest never sees who signs in. Nobody logs in as these roles: a process does SET ROLE, or its login user is a
-- member of one.
-- Locks: none that matter; privileges are catalogue entries.

-- Roles belong to the whole cluster. Where we may not make them, somebody who may can do it later: the next `migrate` grants.
do $$
declare
  name text;
begin
  foreach name in array array['tallylight_api', 'tallylight_ingest', 'tallylight_worker'] loop
    begin
      if not exists (select from pg_roles where rolname = name) then
        execute format('create role %I nologin', name);
      end if;
    exception
      when duplicate_object or unique_violation then null; -- another database of this cluster was faster
      when insufficient_privilege then raise warning 'the role % cannot be made by %', name, current_user;
    end;
    begin
      -- Since PostgreSQL 16 whoever makes a role may not become it until granted. A superuser may become anybody.
      if not (select rolsuper from pg_roles where rolname = current_user) then
        execute format('grant %I to current_user', name);
      end if;
    exception
      when undefined_object or insufficient_privilege or invalid_grant_operation then
        raise warning 'the role % cannot be granted to %', name, current_user;
    end;
  end loop;
end
$$;

-- What each role may do. The one place to look at and to change: a migration that makes a table adds its rows here. A row without
-- privileges says that the table is nobody's business but the owner's. A test fails for a table without any row.
create table process_grant (
  role text not null check (role in ('tallylight_api', 'tallylight_ingest', 'tallylight_worker')),
  relation text not null,
  privileges text not null, -- as GRANT takes them
  primary key (role, relation)
);

insert into process_grant (relation, role, privileges)
select relation, role, privileges from (values
  -- table                 api                                      ingest                     worker
  ('schema_migration',     'select',                                'select',                  'select'),
  ('process_grant',        '',                                      '',                        ''),
  ('channel',              'select, insert, update',                'select',                  'select'),
  ('channel_connection',   'select',                                'select, insert, update',  'select'),
  ('stream',               'select',                                'select, insert, update',  'select, insert, update'),
  ('session',              'select, insert, update',                'select, insert, update',  'select, insert, update'),
  ('stream_gap',           'select',                                'select, insert, update',  'select'),
  ('subject_key',          'select, insert, delete',                'select, insert',          'select, insert, delete'),
  ('audience_member',      'select',                                'select',                  'select, insert, update'),
  ('member_handle',        'select',                                '',                        'select, insert'),
  ('message_redaction',    'select',                                '',                        'select, insert, update'),
  ('event',                'select',                                'select',                  'select, insert'),
  ('stream_total',         'select',                                'select',                  'select, insert, update'),
  ('stream_minute',        'select',                                '',                        'select, insert, update'),
  ('stream_gifter',        'select',                                '',                        'select, insert, update'),
  ('channel_sequence',     'select',                                'select',                  'select, insert, update'),
  ('gift_catalogue',       'select',                                '',                        'select, insert, update'),
  ('sign_budget',          'select',                                'select, insert, update',  'select'),
  ('access_key',           'select, insert, update',                '',                        ''),
  ('app_user',             'select, insert, update',                '',                        ''),
  ('channel_member',       'select, insert, update, delete',        '',                        ''),
  ('user_session',         'select, insert, update, delete',        '',                        ''),
  ('one_time_token',       'select, insert, update, delete',        '',                        ''),
  ('outgoing_mail',        'select, insert',                        '',                        'select, delete'),
  ('signing_key',          'select, insert, update, delete',        '',                        ''),
  ('token_family',         'select, insert, update, delete',        '',                        ''),
  ('refresh_token',        'select, insert, update',                '',                        ''),
  ('totp_factor',          'select, insert, update, delete',        '',                        ''),
  ('passkey',              'select, insert, update, delete',        '',                        ''),
  ('recovery_code',        'select, insert, update, delete',        '',                        ''),
  ('passkey_challenge',    'select, insert, update, delete',        '',                        ''),
  ('mfa_attempt',          'select, insert, update, delete',        '',                        ''),
  ('external_identity',    'select, insert, update, delete',        '',                        ''),
  ('external_memory',      'select, insert, update, delete',        '',                        ''),
  ('invitation',           'select, insert, update, delete',        '',                        ''),
  ('client',               'select, insert, update, delete',        '',                        ''),
  ('client_key',           'select, insert, update, delete',        '',                        ''),
  ('client_operation',     'select, insert, delete',                '',                        ''),
  ('client_manifest',      'select, insert, delete',                '',                        ''),
  ('client_operation_usage', 'select, insert, update, delete',      '',                        ''),
  ('client_deprecation_usage', 'select, insert, update, delete',    '',                        ''),
  ('audit_entry',          'select, insert',                        '',                        ''),
  ('audit_head',           'select, update',                        '',                        ''),
  ('audit_intent',         'select, insert, update, delete',        '',                        ''),
  ('staff_access',         'select, insert',                        '',                        '')
) as table_row (relation, api, ingest, worker)
cross join lateral (values
  ('tallylight_api', api), ('tallylight_ingest', ingest), ('tallylight_worker', worker)
) as cells (role, privileges);

-- Makes the privileges in the database those in the table, for the roles and tables that exist. What was granted besides is
-- taken away. Run by `migrate`, after the job queue's own tables were made.
create function apply_process_grants() returns void language plpgsql as $$
declare
  here text := current_schema();
  item record;
begin
  -- Two at once would change the same catalogue rows.
  perform pg_advisory_xact_lock(7105291006);
  for item in select rolname from pg_roles where rolname in ('tallylight_api', 'tallylight_ingest', 'tallylight_worker') loop
    execute format('revoke all on all tables in schema %I from %I', here, item.rolname);
    execute format('grant usage on schema %I to %I', here, item.rolname);
  end loop;
  for item in
    select allowed.* from process_grant as allowed
    where allowed.privileges <> '' and to_regclass(format('%I.%I', here, allowed.relation)) is not null
      and exists (select from pg_roles where rolname = allowed.role)
  loop
    execute format('grant %s on %I.%I to %I', item.privileges, here, item.relation, item.role);
  end loop;
  if to_regnamespace('tallylight_jobs') is null then return; end if;
  -- The worker runs jobs and keeps their tables tidy; the API adds jobs, and the queues they lie in.
  if exists (select from pg_roles where rolname = 'tallylight_worker') then
    grant usage on schema tallylight_jobs to tallylight_worker;
    grant select, insert, update, delete on all tables in schema tallylight_jobs to tallylight_worker;
    -- Rebuilding a swollen index of a table that is not one's own; older servers leave that to the owner.
    if current_setting('server_version_num')::integer >= 170000 then
      execute 'grant maintain on all tables in schema tallylight_jobs to tallylight_worker';
    end if;
  end if;
  if exists (select from pg_roles where rolname = 'tallylight_api') then
    grant usage on schema tallylight_jobs to tallylight_api;
    grant select on all tables in schema tallylight_jobs to tallylight_api;
    grant insert, update on tallylight_jobs.queue to tallylight_api;
    grant insert on tallylight_jobs.job, tallylight_jobs.job_common to tallylight_api;
  end if;
end
$$;
revoke all on function apply_process_grants() from public;

-- Partitions are made by the worker and belong to the owner of the table, as before.
do $$
begin
  execute format('alter function ensure_event_partition(date) security definer set search_path to %I, pg_temp', current_schema());
  revoke all on function ensure_event_partition(date) from public;
  if exists (select from pg_roles where rolname = 'tallylight_worker') then
    grant execute on function ensure_event_partition(date) to tallylight_worker;
  end if;
end
$$;

select apply_process_grants();
