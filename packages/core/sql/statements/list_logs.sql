-- The log lines of a step, the oldest first by the time that they say, then as they came. $1 step uuid, $2 most integer: those
-- that came last
-- Returns created double precision, line bytea. Index: step_log_order. Called by: LogBook.
select l.created, l.line
from (
  select s.n, s.created, s.line from lineshaft.step_log s where s.step_id = $1::uuid order by s.n desc limit $2::integer
) l
order by l.created, l.n
