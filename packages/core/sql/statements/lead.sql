-- Takes or renews leadership. $1 name text, $2 worker bigint, $3 lease_ms integer. Returns term, null while another leads.
select lineshaft.lead($1, $2::bigint, $3::integer) as term
