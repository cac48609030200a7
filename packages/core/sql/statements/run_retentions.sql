-- How long runs are kept. $1 field text: of the metadata of definitions, that says it. Returns name text of each workflow that has runs, retention json: what its latest
-- definition says (null: nothing). Index: run_by_name, one probe a name; workflow_definition_pkey.
-- Called by: the pruner and `lineshaft prune`.
with recursive names as (
  (select r.name from lineshaft.run r order by r.name using ~<~ limit 1)
  union all
  select (select r.name from lineshaft.run r where r.name ~>~ n.name order by r.name using ~<~ limit 1)
  from names n
  where n.name is not null
)
select n.name, d.retention
from names n
left join lateral (
  select w.definition -> 'metadata' -> $1::text as retention
  from lineshaft.workflow_definition w
  where w.name = n.name
  order by w.version desc
  limit 1
) d on true
where n.name is not null
