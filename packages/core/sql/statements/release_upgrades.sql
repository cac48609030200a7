-- Lets jobs go that wait because the upgrade of their payload failed in another build.
-- $1 kinds text[], $2 build text. Returns ids uuid[].
select array_agg(b.job_id) as ids
from lineshaft.blocked b
join lineshaft.lane l on l.id = b.lane
where b.reason = 'upgrade-failed' and l.kind = any ($1::text[]) and b.detail ->> 'build' is distinct from $2::text
