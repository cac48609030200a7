-- Partitions of history in which everything has expired: their last day is over and no row is to be kept longer.
-- Also those whose detaching or dropping was cut short. Returns name, day, state (attached, detaching, detached).
-- Called by: the keeper.
select p.name, p.day, p.state from lineshaft.expired_partitions() p
