-- Ends this transaction after 30 s in which its client says nothing: what it holds would else be held until the network notices.
-- Locks: none. Called by: BulkWrite.
select set_config('idle_in_transaction_session_timeout', '30s', true)
