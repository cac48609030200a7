-- Takes or renews leadership. $1 name text, $2 worker bigint, $3 lease_ms integer
-- Returns term bigint (null while another leads), left_ms double precision: for how long it is sure who leads.
select l.term, l.left_ms from lineshaft.lead($1, $2::bigint, $3::integer) l
