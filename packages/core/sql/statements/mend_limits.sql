-- Corrects what should never be wrong; see the function. Returns counters, keys, lanes, parked integer. Called by: the limiter.
select m.counters, m.keys, m.lanes, m.parked from lineshaft.mend_limits() m
