-- Tells workers that queues have jobs. $1 queues bigint[], $2 mode text
select lineshaft.wake($1::bigint[], false, $2::text)
