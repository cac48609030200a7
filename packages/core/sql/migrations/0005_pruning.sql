-- Pruning and re-prioritising: what the statements with rules need besides.
-- Lock cost: new objects only.

-- The fence of what the leader forgets: see demand_term. Null: nobody in particular asks, such as the command.
create function lineshaft.demand_leader(of_term bigint)
returns boolean language plpgsql as $$
begin
  if of_term is null then
    return true;
  end if;
  return lineshaft.demand_term('main', of_term);
end
$$;

-- Of the jobs of a queue that ended in one way, the newest that is one too many when so many are kept: itself and all
-- before it are to go. No row where there are not more. Newest first by time, then by id. Walks the batches from the
-- newest on and reads the lines only of those that have others in them.
create function lineshaft.first_beyond(of_queue bigint, of_outcome text, keep bigint)
returns table (at timestamptz, id uuid) language plpgsql stable as $$
declare
  of_lanes integer[] := array(select l.id from lineshaft.lane l where l.queue_id = of_queue);
  batch record;
  found_at timestamptz;
  newer bigint := 0;
  counted bigint := 0;
begin
  for batch in
    select h.finished_at, h.jobs, h.entries, h.lanes <@ of_lanes and h.outcome is not null as pure
    from lineshaft.history h
    where h.lanes && of_lanes and coalesce(h.outcome = of_outcome, true)
    order by h.finished_at desc
  loop
    if batch.finished_at is distinct from found_at then
      -- What lies between two times that are told apart is counted; a tie is settled by ids, below.
      exit when counted > keep;
      newer := counted;
      found_at := batch.finished_at;
    end if;
    counted := counted + case when batch.pure then batch.jobs else (
      select count(*)
      from unnest(string_to_array(batch.entries, e'\n')) as e (line)
      where (e.line::json ->> 0)::integer = any (of_lanes) and e.line::json ->> 1 = of_outcome
    ) end;
  end loop;
  if counted <= keep then
    return;
  end if;
  return query
  select found_at, e.id
  from lineshaft.history h
  cross join lateral unnest(h.ids, string_to_array(h.entries, e'\n')) as e (id, line)
  where h.finished_at = found_at and (e.line::json ->> 0)::integer = any (of_lanes) and e.line::json ->> 1 = of_outcome
  order by e.id desc
  offset keep - newer
  limit 1;
end
$$;

-- How far a re-prioritiser has come: since when its turn runs, and behind which job it goes on. Null: the turn is over.
create table lineshaft.rise (
  name text primary key,
  began_at timestamptz not null,
  behind uuid
) with (fillfactor = 50);
