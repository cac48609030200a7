-- Ends jobs of steps wherever they are; see the function. $1 ids uuid[]. Returns withdrawn integer.
-- Called by: PollBook, for jobs that belong to no run.
select lineshaft.withdraw_jobs($1::uuid[]) as withdrawn
