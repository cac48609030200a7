-- Payloads of runs that are gone or never came about, and those without a run after a day. $1 most integer. Returns path.
-- Index: run_pkey for each row of payload that is older than an hour. Called by: PayloadBook, for the pruner.
select p.path
from lineshaft.payload p
where p.at < now() - interval '1 hour'
  and case
    when p.run_id is null then p.at < now() - interval '1 day'
    else not exists (select from lineshaft.run r where r.id = p.run_id)
  end
order by p.at
limit $1::integer
