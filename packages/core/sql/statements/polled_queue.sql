-- The queue in which steps wait. Returns id; no row: it is paused. Called by: PollBook.
select q.id from lineshaft.polled_queue() as q (id) where q.id is not null
