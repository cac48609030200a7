-- Writes what was decided about runs, hands steps on to the worker that did the ones before them, and where there are claims
-- takes steps for polls that wait for what this makes ready, all in the same commit; see the functions apply_runs, claim_remote and
-- hand_steps, whose parameters these are, in their order.
-- $1 run_ids uuid[], $2 run_revisions integer[], $3 run_statuses text[], $4 run_nexts integer[], $5 run_wakes double
-- precision[], $6 run_updates double precision[], $7 run_ends double precision[], $8 run_mores json[], $9
-- document_runs uuid[], $10 run_inputs json[], $11 run_outputs json[], $12 run_variables json[], $13 hashes text[], $14
-- definitions json, $15 new_runs uuid[], $16 new_seqs integer[], $17 new_revisions integer[], $18 new_ids uuid[], $19
-- new_refs text[], $20 new_types text[], $21 new_names text[], $22 new_iterations integer[], $23 new_retries
-- integer[], $24 new_statuses text[], $25 new_scheduled double precision[], $26 new_started double precision[], $27
-- new_updated double precision[], $28 new_ended double precision[], $29 new_reasons text[], $30 new_facts json[], $31
-- new_inputs json[], $32 new_outputs json[], $33 new_definitions json[], $34 new_events text[], $35 old_runs uuid[], $36
-- old_seqs integer[], $37 old_revisions integer[], $38 old_iterations integer[], $39 old_retries integer[], $40
-- old_statuses text[], $41 old_scheduled double precision[], $42 old_started double precision[], $43 old_updated
-- double precision[], $44 old_ended double precision[], $45 old_reasons text[], $46 old_facts json[], $47 old_inputs
-- json[], $48 old_outputs json[], $49 removed json, $50 mark_runs uuid[], $51 events json, $52 decided bigint[], $53
-- withdrawn uuid[], $54 again json, $55 templates jsonb, $56 template_of integer[], $57 job_ids uuid[], $58 payloads
-- json, $59 leases bigint[], $60 ended uuid[], $61 fences integer[], $62 finished bigint[], and
-- $63 kinds text[] (null: nothing is claimed), $64 domains text[], $65 counts integer[], $66 holders text[], $67 claim text, and
-- $68 worker bigint (null: nothing is handed on), $69 handed_templates jsonb, $70 handed_template_of integer[], $71 handed_ids
-- uuid[], $72 handed_payloads json, $73 handed_lanes integer[], $74 before integer[], and
-- $75 parted uuid[]
-- Returns moved uuid[] in each row: runs that others have changed meanwhile, or, led by a nil id, those
-- refused by their limit, then nothing was done; null: all is written; and
-- the columns of claim_remote, null where it gives nothing; and lease and created of hand_steps. Locks: as both; of counters it waits for none twice. Called by: RunStore.
select a.moved, c.pair, c.place, c.id, c.taken_ms, c.step, c.run_id, c.definition, c.correlation_id, c.priority, c.first_ms,
  a.lease, a.created
from (select w.moved, h.lease, h.created
from (select lineshaft.apply_runs(
  $1::uuid[], $2::integer[], $3::text[], $4::integer[], $5::double precision[], $6::double precision[], $7::double
  precision[], $8::json[], $9::uuid[], $10::json[], $11::json[], $12::json[], $13::text[], $14::json, $15::uuid[],
  $16::integer[], $17::integer[], $18::uuid[], $19::text[], $20::text[], $21::text[], $22::integer[], $23::integer[],
  $24::text[], $25::double precision[], $26::double precision[], $27::double precision[], $28::double precision[],
  $29::text[], $30::json[], $31::json[], $32::json[], $33::json[], $34::text[], $35::uuid[], $36::integer[],
  $37::integer[], $38::integer[], $39::integer[], $40::text[], $41::double precision[], $42::double precision[],
  $43::double precision[], $44::double precision[], $45::text[], $46::json[], $47::json[], $48::json[], $49::json,
  $50::uuid[], $51::json, $52::bigint[], $53::uuid[], $54::json, $55::jsonb, $56::integer[], $57::uuid[], $58::json,
  $59::bigint[], $60::uuid[], $61::integer[], $62::bigint[], $75::uuid[]
) as moved
  -- Before leases and jobs, as everywhere.
  from (select 1 offset 0) one
  left join lateral (select h.id from lineshaft.worker h where h.id = $68::bigint for key share) held on true
  offset 0) w
left join lateral (
  select h.*
  from lineshaft.hand_steps($68::bigint, $69::jsonb, $70::integer[], $71::uuid[], $72::json, $73::integer[], $74::integer[]) h
  where w.moved is null and $68::bigint is not null
  offset 0
) h on true
offset 0) a
-- Not a part of the join, so that it is not even called where there is nothing to claim.
left join lateral (
  select c.*
  from lineshaft.claim_remote($63::text[], $64::text[], $65::integer[], $66::text[], $67::text, true) c
  where a.moved is null and $63::text[] is not null
  offset 0
) c on true
