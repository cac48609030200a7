-- Writes what was decided about runs; see the function. $1 runs json, $2 document_runs uuid[], $3 run_inputs json,
-- $4 run_outputs json, $5 run_variables json, $6 hashes text[], $7 definitions json, $8 fresh json, $9 fresh_inputs json,
-- $10 fresh_outputs json, $11 fresh_definitions json, $12 changed json, $13 changed_inputs json,
-- $14 changed_outputs json, $15 removed json, $16 mark_runs uuid[], $17 events json, $18 decided bigint[],
-- $19 withdrawn uuid[], $20 again json, $21 templates jsonb, $22 template_of integer[], $23 job_ids uuid[], $24 payloads json
-- Returns moved uuid[]: runs that others have changed meanwhile; null: all is written. Called by: RunStore.
select lineshaft.apply_runs(
  $1::json, $2::uuid[], $3::json, $4::json, $5::json, $6::text[], $7::json, $8::json, $9::json, $10::json, $11::json,
  $12::json, $13::json, $14::json, $15::json, $16::uuid[], $17::json, $18::bigint[], $19::uuid[], $20::json,
  $21::jsonb, $22::integer[], $23::uuid[], $24::json
) as moved
