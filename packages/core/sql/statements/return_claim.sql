-- Puts back what a call of claim_remote took whose answer was lost. $1 claim text. Returns returned integer.
-- Called by: PollBook.
select lineshaft.return_claim($1::text) as returned
