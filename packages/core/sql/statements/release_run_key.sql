-- Gives up a key whose run could not start. $1 workflow text, $2 key text, $3 run uuid. Returns nothing.
delete from lineshaft.run_key k
where k.workflow = $1 and k.key = $2 and k.run_id = $3::uuid
  and not exists (select from lineshaft.run r where r.id = $3::uuid)
