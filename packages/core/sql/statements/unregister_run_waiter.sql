-- Says that this process waits for runs no more. $1 id uuid
delete from lineshaft.run_waiter where id = $1::uuid
