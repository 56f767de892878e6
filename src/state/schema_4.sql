-- Documented for users in docs/state.md.

-- How many requests at once a host was found to take by the last adaptive run that asked it.
create table hosts (
    host text primary key,
    at_once integer not null
) strict;
