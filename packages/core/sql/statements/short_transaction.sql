-- Lets the server end a transaction whose process does not go on with it, so that what it holds is free again.
-- $1 idle_ms text: how long it may do nothing. Called by: leadership.write.
select set_config('idle_in_transaction_session_timeout', $1, true)
