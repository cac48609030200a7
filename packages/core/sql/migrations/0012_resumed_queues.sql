-- Queues that are paused for a while, by when they are resumed.
-- Lock cost: an index of the small table queue.
create index queue_resume on lineshaft.queue (resume_at) where state = 'paused' and resume_at is not null;
