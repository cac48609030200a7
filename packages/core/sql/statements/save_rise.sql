-- Keeps how far a re-prioritiser has come. $1 name text, $2 behind uuid (null: the turn is over)
update lineshaft.rise set behind = $2::uuid where name = $1
