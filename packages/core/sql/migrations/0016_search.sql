-- What finds runs and steps: by name, status, correlation id, time and words (store/search-sql.ts makes the conditions).
-- All of it is written with the run, in the same transaction: what was acknowledged is found. Words are indexed some
-- time after: until then a run is listed as one whose documents are to be looked into.
-- Lock cost: tables of 0013, which is not older than this.

-- Runs of a name by status and start; a search by name alone merges its statuses, which are few. `text_pattern_ops`
-- serves `=` and names that begin with something. A run is written here when it starts and when it ends.
create index run_by_name on lineshaft.run (name text_pattern_ops, status, created_at, id);
create index run_by_status on lineshaft.run (status, created_at, id);
create index run_correlation on lineshaft.run (correlation_id text_pattern_ops, created_at) where correlation_id is not null;
-- Ends, newest first, and those that have not ended last.
create index run_ended on lineshaft.run (ended_at desc nulls last);

-- Steps by type and time of scheduling. That time changes where a step goes on after its end alone: other updates of steps stay
-- on their page. Steps of workers are named as their type.
create index step_by_type on lineshaft.step (type text_pattern_ops, scheduled_at);
create index step_by_name on lineshaft.step (name text_pattern_ops, scheduled_at) where name <> type;

-- The index of words: what a word is, is said by domain/workflow/search-words.ts, which makes it, of a thousand runs at a time.

-- Runs that have started, ended or changed, and are not indexed as they are now: a search looks into their documents. Also
-- of runs that were removed, until the index knows. Only inserted, and deleted by who has indexed what it stands for.
create table lineshaft.search_pending (
  id bigint generated always as identity primary key,
  run_id uuid not null
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- Up to 1,024 documents that were indexed together, and when their runs have started, in microseconds since 1970. Never
-- changed but for `dead`: a bit for each place (bit 0 of byte 0 is the first) whose run was indexed anew, or removed.
create table lineshaft.search_segment (
  id integer generated always as identity primary key,
  size integer not null check (size between 1 and 1024),
  newest bigint not null,
  oldest bigint not null,
  dead bytea
);

-- The run of each place in a segment, and when it has started; those that have started last come first.
create table lineshaft.search_document (
  segment integer not null,
  place smallint not null,
  run_id uuid not null,
  started bigint not null,
  primary key (segment, place)
);
create index search_document_of on lineshaft.search_document (run_id);

-- The words of a segment in the order of their bytes, some in each row, with the places where they occur:
-- see domain/workflow/search-segment.ts. `first` is the first of them.
create table lineshaft.search_block (
  segment integer not null,
  first text collate "C" not null,
  lines text not null,
  primary key (segment, first)
);

-- What is indexed of a document: its beginning.
create function lineshaft.head(document json)
returns text language sql immutable parallel safe as $$
  select case when octet_length(document::text) <= 16384 then document::text else left(document::text, 16384) end
$$;

-- Microseconds since 1970, rounded: a number of seconds has no room for all of them.
create function lineshaft.microseconds(at timestamptz)
returns bigint language sql immutable parallel safe as $$
  select round(date_part('epoch', at) * 1000000)::bigint
$$;

-- Runs that wait to be indexed, each once. By index, since the table is as long as it was after a mass of runs.
create function lineshaft.pending_runs()
returns setof uuid language sql stable rows 1000 set enable_seqscan = off set enable_bitmapscan = off as $$
  select distinct p.run_id from lineshaft.search_pending p where p.id > 0
$$;

create function lineshaft.search_anew()
returns trigger language plpgsql as $$
begin
  insert into lineshaft.search_pending (run_id) values (new.id);
  return new;
end
$$;
-- Runs that start and end are noted by who writes them (change_runs, start_runs), many at once; the rest here. Input and output change
-- when a run ends or goes on again, and never else.
create trigger search_changed before update on lineshaft.run
  for each row when (
    (old.ended_at is not null or new.ended_at is null) and (
      old.ended_at is distinct from new.ended_at or old.reason is distinct from new.reason
      or old.correlation_id is distinct from new.correlation_id or (new.ended_at is not null and old.status <> new.status)
    )
  )
  execute function lineshaft.search_anew();

-- Writes a segment of the index. `pending`: the rows that it stands for; `runs`: its documents, by place; `removed`: runs
-- that are gone; `firsts`, `lines`: its blocks. False: somebody else has indexed some of them; then nothing is written.
-- Where another document of a run is indexed, that one is dead; a segment of which half is dead is dissolved. Locks: indexing
-- goes one at a time; the segments with other documents of these runs.
create function lineshaft.index_runs(pending bigint[], runs uuid[], removed uuid[], firsts text[], lines text[])
returns boolean language plpgsql as $$
declare
  made integer;
  older record;
  half_dead boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('lineshaft.search', 0));
  if (select count(*) from lineshaft.search_pending p where p.id = any (pending)) < cardinality(pending) then
    return false;
  end if;
  delete from lineshaft.search_pending p where p.id = any (pending);
  for older in
    select d.segment, array_agg(d.place::integer) as places
    from unnest(runs || removed) as t (run_id)
    cross join lateral (
      select d.segment, d.place from lineshaft.search_document d where d.run_id = t.run_id offset 0
    ) d
    group by d.segment
  loop
    update lineshaft.search_segment s set dead = lineshaft.with_bits(s.dead, older.places)
    where s.id = older.segment
    returning bit_count(s.dead) * 2 >= s.size into half_dead;
    if half_dead then
      perform lineshaft.dissolve_segment(older.segment);
    end if;
  end loop;
  if cardinality(runs) = 0 then
    return true;
  end if;
  insert into lineshaft.search_segment (size, newest, oldest) values (cardinality(runs), 0, 0) returning id into made;
  with documents as (
    insert into lineshaft.search_document (segment, place, run_id, started)
    select made, t.place - 1, t.run_id, lineshaft.microseconds(coalesce(r.created_at, now()))
    from unnest(runs) with ordinality as t (run_id, place)
    left join lateral (select r.created_at from lineshaft.run r where r.id = t.run_id offset 0) r on true
    returning started
  )
  update lineshaft.search_segment s
  set newest = c.newest, oldest = c.oldest
  from (select max(d.started) as newest, min(d.started) as oldest from documents d) c
  where s.id = made;
  insert into lineshaft.search_block (segment, first, lines)
  select made, b.first, b.lines from unnest(firsts, lines) as b (first, lines);
  return true;
end
$$;

-- Sets bits of 1,024; null: none is set yet.
create function lineshaft.with_bits(bits bytea, places integer[])
returns bytea language plpgsql immutable parallel safe as $$
declare
  place integer;
begin
  bits := coalesce(bits, decode(repeat('00', 128), 'hex'));
  foreach place in array places loop
    bits := set_bit(bits, place, 1);
  end loop;
  return bits;
end
$$;

-- Takes a segment out of the index: what lives in it is to be indexed anew.
create function lineshaft.dissolve_segment(of_segment integer)
returns void language plpgsql as $$
declare
  gone lineshaft.search_segment;
begin
  delete from lineshaft.search_segment s where s.id = of_segment returning s.* into gone;
  insert into lineshaft.search_pending (run_id)
  select d.run_id from lineshaft.search_document d
  where d.segment = of_segment and get_bit(gone.dead, d.place) = 0;
  delete from lineshaft.search_block b where b.segment = of_segment;
  delete from lineshaft.search_document d where d.segment = of_segment;
end
$$;

-- All of the words; one that ends in * is the beginning of a word. Null without any word.
create function lineshaft.words_query(words text[])
returns tsquery language plpgsql immutable parallel safe as $$
declare
  word text;
  one tsquery;
  every_word tsquery;
begin
  foreach word in array words loop
    one := plainto_tsquery('simple', rtrim(word, '*'));
    continue when numnode(one) = 0;
    if right(word, 1) = '*' then
      one := (one::text || ':*')::tsquery;
    end if;
    every_word := case when every_word is null then one else every_word && one end;
  end loop;
  return every_word;
end
$$;
