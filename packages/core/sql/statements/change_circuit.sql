-- Writes what was decided of a circuit, if it still has the version that was decided upon.
-- $1 kind text, $2 version bigint, $3 decided jsonb (the fields of `Circuit`), $4 tell boolean
-- Returns changed json: {applied, facts}; facts are those of now, null where the circuit is gone.
-- Locks: the row of the circuit. Index: circuit_pkey. Called by: workers that report, take probes; people.
select lineshaft.change_circuit($1, $2::bigint, $3::jsonb, $4::boolean) as changed
