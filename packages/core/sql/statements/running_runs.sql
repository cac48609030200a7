-- Ids of runs of a workflow, oldest first. $1 name text, $2 version integer (null: any), $3 and $4 double precision: those
-- made between these times (ms since 1970), whatever their status; null: those that have not ended. $5 most integer.
-- Returns id. Index: run_alive, where no times are given.
select r.id
from lineshaft.run r
where r.name = $1::text and ($2::integer is null or r.version = $2::integer)
  and case
    when $3::double precision is null then r.ended_at is null
    else r.created_at between to_timestamp($3::double precision / 1000) and to_timestamp($4::double precision / 1000)
  end
order by r.created_at, r.id
limit $5::integer
