-- Puts steps back that were taken for polls whose clients went away. $1 ids uuid[]. Returns returned integer.
-- Called by: PollBook.
select lineshaft.return_polled($1::uuid[]) as returned
