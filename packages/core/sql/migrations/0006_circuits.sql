-- Circuit breakers: a row for each kind that has one, which all workers read and change.
-- Lock cost: new objects only.

-- `declared` is what the code says, `settings` what was set as data and goes before it. `version` grows with each
-- change: a worker decides upon what it read, and its write changes nothing if somebody was before it. `told` grows
-- with the changes that other workers must hear of.
create table lineshaft.circuit (
  kind text primary key check (kind ~ '^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,199}$'),
  declared jsonb,
  settings jsonb,
  version bigint not null default 0,
  told bigint not null default 0,
  state text not null default 'closed' check (state in ('closed', 'open', 'half-open')),
  since timestamptz not null default clock_timestamp(),
  until timestamptz,
  by_hand boolean not null default false,
  reason text,
  openings integer not null default 0,
  round integer not null default 0,
  window_start timestamptz not null default clock_timestamp(),
  attempts bigint not null default 0,
  failures bigint not null default 0,
  attempts_before bigint not null default 0,
  failures_before bigint not null default 0,
  probes_left integer not null default 0,
  probes_out integer not null default 0,
  probes_good integer not null default 0
) with (fillfactor = 50);

-- Refuses settings of a circuit that are wrong; true where they are right.
create function lineshaft.check_circuit(circuit jsonb)
returns boolean language plpgsql immutable as $$
declare
  document jsonb := jsonb_build_object('circuit', circuit);
begin
  if circuit is null then
    return true;
  end if;
  perform lineshaft.check_fields(document, 'circuit',
    array['enabled', 'failureRate', 'minAttempts', 'windowMs', 'pauseMs', 'pauseFactor', 'pauseLimitMs', 'probes']);
  if jsonb_typeof(coalesce(circuit -> 'enabled', 'true')) <> 'boolean' then
    perform lineshaft.refuse('circuit.enabled', circuit -> 'enabled', 'true or false');
  end if;
  perform lineshaft.check_range(document, '{circuit,failureRate}', 0.000001, 1, false);
  perform lineshaft.check_range(document, '{circuit,minAttempts}', 1, 1000000);
  perform lineshaft.check_range(document, '{circuit,windowMs}', 1000, 86400000);
  perform lineshaft.check_range(document, '{circuit,pauseMs}', 1, 86400000);
  perform lineshaft.check_range(document, '{circuit,pauseFactor}', 1, 10, false);
  perform lineshaft.check_range(document, '{circuit,pauseLimitMs}', coalesce((circuit ->> 'pauseMs')::numeric, 30000), 86400000);
  perform lineshaft.check_range(document, '{circuit,probes}', 1, 1000);
  return true;
end
$$;
alter table lineshaft.circuit add constraint circuit_settings check (lineshaft.check_circuit(settings));
alter table lineshaft.circuit add constraint circuit_declared check (lineshaft.check_circuit(declared));

create function lineshaft.epoch_ms(at timestamptz)
returns double precision language sql immutable as $$
  select round(extract(epoch from at) * 1000)::double precision
$$;

-- A circuit as workers and callers read it: times in ms since 1970, and what the clock says now.
create function lineshaft.circuit_facts(c lineshaft.circuit)
returns json language sql volatile as $$
  select json_build_object(
    'kind', c.kind, 'declared', c.declared, 'settings', c.settings, 'version', c.version,
    'nowMs', lineshaft.epoch_ms(clock_timestamp()),
    'circuit', json_strip_nulls(json_build_object(
      'state', c.state, 'sinceMs', lineshaft.epoch_ms(c.since), 'untilMs', lineshaft.epoch_ms(c.until),
      'byHand', c.by_hand, 'reason', c.reason, 'openings', c.openings, 'round', c.round,
      'windowStartMs', lineshaft.epoch_ms(c.window_start), 'attempts', c.attempts, 'failures', c.failures,
      'attemptsBefore', c.attempts_before, 'failuresBefore', c.failures_before,
      'probesLeft', c.probes_left, 'probesOut', c.probes_out, 'probesGood', c.probes_good
    ))
  )
$$;

-- Replaces a circuit by the one that was decided upon its version; where somebody was before, changes nothing.
-- Returns whether it did, and the circuit as it is now. `tell`: all workers are to hear of it.
create function lineshaft.change_circuit(of_kind text, from_version bigint, decided jsonb, tell boolean)
returns json language plpgsql as $$
declare
  c lineshaft.circuit;
  applied boolean;
begin
  update lineshaft.circuit k
  set version = k.version + 1, told = k.told + case when tell then 1 else 0 end,
    state = decided ->> 'state', by_hand = (decided ->> 'byHand')::boolean, reason = left(decided ->> 'reason', 500),
    since = to_timestamp((decided ->> 'sinceMs')::double precision / 1000),
    until = to_timestamp((decided ->> 'untilMs')::double precision / 1000),
    window_start = to_timestamp((decided ->> 'windowStartMs')::double precision / 1000),
    openings = (decided ->> 'openings')::integer, round = (decided ->> 'round')::integer,
    attempts = (decided ->> 'attempts')::bigint, failures = (decided ->> 'failures')::bigint,
    attempts_before = (decided ->> 'attemptsBefore')::bigint, failures_before = (decided ->> 'failuresBefore')::bigint,
    probes_left = (decided ->> 'probesLeft')::integer, probes_out = (decided ->> 'probesOut')::integer,
    probes_good = (decided ->> 'probesGood')::integer
  where k.kind = of_kind and k.version = from_version
  returning * into c;
  applied := found;
  if applied and tell then
    perform pg_notify('lineshaft', 'q');
  end if;
  if not applied then
    select * into c from lineshaft.circuit k where k.kind = of_kind;
  end if;
  return json_build_object('applied', applied, 'facts', case when found then lineshaft.circuit_facts(c) end);
end
$$;
