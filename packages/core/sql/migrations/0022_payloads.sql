-- Large payloads of workflows, which are kept apart in a folder or a bucket: what is there, and who may read or write it.
-- Lock cost: new objects.

-- What was written, or is about to be: a row before the payload itself, so that none is forgotten there. It goes, with the
-- payload, when its run is gone; without a run, when the run that a client wrote it for must have read it long ago.
create table lineshaft.payload (
  path text primary key,
  run_id uuid,
  at timestamptz not null default now()
);
create index payload_at on lineshaft.payload (at);

-- Who knows a ticket may read or write one payload for a while, at any server: what the addresses of a folder are made of.
create table lineshaft.payload_ticket (
  hash bytea primary key,
  path text not null,
  operation text not null check (operation in ('READ', 'WRITE')),
  until timestamptz not null
);
create index payload_ticket_until on lineshaft.payload_ticket (until);
