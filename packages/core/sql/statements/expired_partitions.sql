-- Partitions of history in which everything has expired: their last day is over and no row is to be kept longer.
-- Also those whose detaching was cut short. Returns name, day, detaching. Called by: the keeper.
select p.name, p.day, p.detaching from lineshaft.expired_partitions() p
