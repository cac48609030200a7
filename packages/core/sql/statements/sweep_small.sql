-- Forgets unique keys past their time, old cancellations, waiters and progress of jobs that are gone, and keys of limits of
-- runs under which nothing goes.
-- $1 term bigint: the leader's, see demand_term. Returns led boolean.
with keys as (delete from lineshaft.unique_key where until < now()),
cancellations as (delete from lineshaft.cancellation where cancelled_at < now() - interval '10 minutes'),
waiters as (delete from lineshaft.waiter where until < now()),
limits as (
  delete from lineshaft.run_limit l
  where l.ctid = any (array(select i.ctid from lineshaft.run_limit i where i.held = 0 limit 10000 for update skip locked))
),
progresses as (delete from lineshaft.progress where at < now() - interval '1 day')
select lineshaft.demand_term('main', $1::bigint) as led
