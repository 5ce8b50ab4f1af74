-- Pages of the history as functions, so that their plans are made once per connection and not once per request.
--
-- Why: over 30 daily partitions planning one page costs 5 ms and running it less than 1 ms. A plan is only kept for a prepared
-- statement whose generic plan PostgreSQL trusts, which it never does for a limit it does not know. A function of our own
-- keeps its plans and may say `plan_cache_mode` for itself, whatever pool or pooler the connection came through.
-- The generic plan cannot choose an index by the values, so the caller chooses: one function per index and direction. All
-- take the same arguments and apply every filter, so each of them is right for every query; they differ in speed alone.
-- Locks: only the new index, on a table that is empty or small at this point of the history.

-- Large gifts by the number of digits of what their streak has come to, eight standing for eight and more: a minimum of
-- coins reads its own class and those above it. Smaller gifts are too many for an index of their own to pay.
create index event_by_coins on event (channel_id, least(length(streak_coins::text), 8), occurred_at, sequence)
  where streak_coins >= 100;

-- The time of the first and the last event of a session, or of all sessions of a stream.
-- A live session's events lie within a day and a bit of it (the first batch of a room repeats older messages); a replay's
-- keep the times of what they replay, so nothing is known about those beforehand.
create function event_bounds(a_stream_id uuid, a_session_id uuid, a_replays boolean,
  out first_at timestamptz, out last_at timestamptz)
language plpgsql stable set plan_cache_mode = force_generic_plan as $$
begin
  select min(oldest.occurred_at), max(newest.occurred_at) into first_at, last_at
  from (
    select id,
      case source when 'LIVE' then started_at - interval '2 days' else '-infinity' end as from_at,
      case source when 'LIVE' then coalesce(ended_at, 'infinity') + interval '2 days' else 'infinity' end as to_at
    from session
    where (a_session_id is null or id = a_session_id) and (a_stream_id is null or stream_id = a_stream_id)
      and (a_replays or source = 'LIVE')
  ) as wanted
  cross join lateral (
    select e.occurred_at from event e
    where e.session_id = wanted.id and e.occurred_at >= wanted.from_at and e.occurred_at < wanted.to_at
    order by e.occurred_at, e.sequence limit 1
  ) as oldest
  cross join lateral (
    select e.occurred_at from event e
    where e.session_id = wanted.id and e.occurred_at >= wanted.from_at and e.occurred_at < wanted.to_at
    order by e.occurred_at desc, e.sequence desc limit 1
  ) as newest;
end
$$;

-- event_page_by_{channel,type,session,member,coins}_{asc,desc}:
--   a_channel_id      always; rows of other channels are never returned, whatever the other filters say
--   a_stream_id, a_session_id, a_member_id, a_trigger_ids   filters, null for none
--   a_coins_min       leaves out gifts (trigger 2) whose streak has come to less; concerns nothing but gifts
--   a_from, a_to      occurred at or after, and before
--   a_after_at, a_after_sequence   the last row of the page before, null for the first page
--   a_replays         with events of replays
--   a_rows_max        rows at most
-- The filter a function is named after must not be null. `coins` gives only gifts and needs a minimum of 100 at least.
do $migration$
declare
  kind record;
  direction record;
begin
  for kind in
    select * from (values
      -- name, what it walks (one index scan per row of it), and the condition that makes it that index
      ('channel', '(values (0)) as walked (part)', 'true'),
      ('type', 'unnest(a_trigger_ids) as walked (part)', 'e.trigger_id = walked.part'),
      ('session', '(values (0)) as walked (part)', 'e.session_id = a_session_id'),
      ('member', '(values (0)) as walked (part)', 'e.member_id = a_member_id'),
      ('coins', 'generate_series(least(length(a_coins_min::text), 8), 8) as walked (part)',
        'e.streak_coins >= 100 and least(length(e.streak_coins::text), 8) = walked.part')
    ) as kinds (name, walk, condition)
  loop
    for direction in
      select * from (values
        ('asc', '>', 'a_from := greatest(a_from, a_after_at)'),
        ('desc', '<', 'a_to := least(a_to, a_after_at + interval ''1 ms'')')
      ) as directions (name, beyond, narrowing)
    loop
      execute format($template$
        create function event_page_by_%1$s_%2$s(a_channel_id uuid, a_stream_id uuid, a_session_id uuid, a_member_id uuid,
          a_trigger_ids smallint[], a_coins_min bigint, a_from timestamptz, a_to timestamptz,
          a_after_at timestamptz, a_after_sequence bigint, a_replays boolean, a_rows_max integer)
        returns setof event language plpgsql stable rows 50 set plan_cache_mode = force_generic_plan as $body$
        begin
          %3$s;
          if a_stream_id is not null or a_session_id is not null then
            select greatest(a_from, first_at), least(a_to, last_at + interval '1 ms') into a_from, a_to
            from event_bounds(a_stream_id, a_session_id, a_replays);
          end if;
          return query
            select page.* from %4$s cross join lateral (
              select e.* from event e
              where e.channel_id = a_channel_id and %5$s
                and e.occurred_at >= a_from and e.occurred_at < a_to
                and (a_after_at is null or (e.occurred_at, e.sequence) %6$s (a_after_at, a_after_sequence))
                and (a_replays or e.source = 1)
                and (a_stream_id is null or e.stream_id = a_stream_id)
                and (a_session_id is null or e.session_id = a_session_id)
                and (a_member_id is null or e.member_id = a_member_id)
                and (a_trigger_ids is null or e.trigger_id = any (a_trigger_ids))
                and (a_coins_min is null or e.trigger_id <> 2 or e.streak_coins >= a_coins_min)
              order by e.occurred_at %2$s, e.sequence %2$s limit a_rows_max
            ) as page
            order by page.occurred_at %2$s, page.sequence %2$s limit a_rows_max;
        end
        $body$
      $template$, kind.name, direction.name, direction.narrowing, kind.walk, kind.condition, direction.beyond);
    end loop;
  end loop;
end
$migration$;
