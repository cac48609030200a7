-- All circuits. Returns facts json, see circuit_facts. Called by: workers when settings changed, and people.
select lineshaft.circuit_facts(c) as facts from lineshaft.circuit c order by c.kind
