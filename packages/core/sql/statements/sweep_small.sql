-- Forgets unique keys past their time, old cancellations, waiters and progress of jobs that are gone.
with keys as (delete from lineshaft.unique_key where until < now()),
cancellations as (delete from lineshaft.cancellation where cancelled_at < now() - interval '10 minutes'),
waiters as (delete from lineshaft.waiter where until < now()),
progresses as (delete from lineshaft.progress where at < now() - interval '1 day')
select 1
