-- What finds runs and steps: by name, status, correlation id, time and words (store/search-sql.ts makes the conditions).
-- All of it is written with the run, in the same transaction: what was acknowledged is found.
-- Lock cost: tables of 0013, which is not older than this.

-- Runs of a name by status and start; a search by name alone merges its statuses, which are few. `text_pattern_ops`
-- serves `=` and names that begin with something. A run is written here when it starts and when it ends.
create index run_by_name on lineshaft.run (name text_pattern_ops, status, created_at, id);
create index run_by_status on lineshaft.run (status, created_at, id);
create index run_correlation on lineshaft.run (correlation_id text_pattern_ops, created_at) where correlation_id is not null;
-- Ends, newest first, and those that have not ended last.
create index run_ended on lineshaft.run (ended_at desc nulls last);

-- Steps by type and time of scheduling, which never change: the updates of steps stay on their page. Steps of workers
-- are named as their type.
create index step_by_type on lineshaft.step (type text_pattern_ops, scheduled_at);
create index step_by_name on lineshaft.step (name text_pattern_ops, scheduled_at) where name <> type;

-- A document with escapes may have some that a text can't have: then its words are taken as they are written.
create function lineshaft.document_words(document json)
returns tsvector language sql immutable parallel safe as $$
  select case
    when document is null or document::text = '{}' then ''::tsvector
    when octet_length(document::text) <= 16384 and position('\u' in document::text) = 0
      then json_to_tsvector('simple', document, '["string", "numeric"]')
    else to_tsvector('simple', left(document::text, 16384))
  end
$$;

-- The words of a run: of its name, its correlation id, why it ended as it did, and of the values in its input and output;
-- of a document larger than 16 KiB those in its beginning.
create function lineshaft.run_words(names text, reason text, input json, output json)
returns tsvector language sql immutable parallel safe as $$
  select to_tsvector('simple', concat_ws(' ', names, left(reason, 1000)))
    || lineshaft.document_words(input) || lineshaft.document_words(output)
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
-- The words of a run are written with its documents: when it starts, and when these or the reason of its end change.
alter table lineshaft.run_data add column words tsvector;
create index run_data_words on lineshaft.run_data using gin (words);
create function lineshaft.find_words()
returns trigger language plpgsql as $$
begin
  select lineshaft.run_words(concat_ws(' ', r.name, r.correlation_id), r.reason, new.input, new.output) into new.words
  from lineshaft.run r where r.id = new.run_id;
  return new;
end
$$;
create trigger words_of_new before insert on lineshaft.run_data
  for each row execute function lineshaft.find_words();
create trigger words_of_changed before update of input, output on lineshaft.run_data
  for each row when (old.output::text <> new.output::text or old.input::text <> new.input::text)
  execute function lineshaft.find_words();
create function lineshaft.find_reason_words()
returns trigger language plpgsql as $$
begin
  update lineshaft.run_data d
  set words = lineshaft.run_words(concat_ws(' ', new.name, new.correlation_id), new.reason, d.input, d.output)
  where d.run_id = new.id;
  return null;
end
$$;
create trigger words_of_reason after update of reason on lineshaft.run
  for each row when (old.reason is distinct from new.reason)
  execute function lineshaft.find_reason_words();
