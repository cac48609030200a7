-- Runs in which all words occur. $1 words text[]: one that ends in * is the beginning of a word, $2 most integer
-- Returns run_id, in no order. Index: run_data_words.
select d.run_id
from lineshaft.run_data d
where d.words @@ lineshaft.words_query($1::text[])
limit $2::integer
