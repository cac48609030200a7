-- Gives leadership up at once. $1 name text, $2 worker bigint
update lineshaft.leader set until = clock_timestamp() - interval '1 second' where name = $1 and worker = $2::bigint
