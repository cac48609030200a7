-- Says that this process waits no more. $1 id uuid
delete from lineshaft.waiter where id = $1::uuid
