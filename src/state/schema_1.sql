-- Documented for users in docs/state.md, with an example query for each.

-- Ids are never given twice, so that FILE#RUN means the same run for ever.
create table runs (
    id integer primary key autoincrement,
    plan text not null,
    version text not null,
    jobs blob not null,
    sources integer not null,
    started text not null,
    ended text,
    how text check (how in ('done', 'cut short')),
    elapsed_ms real not null default 0,
    resumed integer not null default 0
) strict;
create index runs_of_plan on runs (plan);

create table outcomes (
    id integer primary key,
    run integer not null references runs on delete cascade,
    place integer not null,
    name text not null,
    digest blob not null,
    settings blob not null,
    ended text not null,
    ok integer not null,
    whole integer not null,
    record text not null,
    url text as (record ->> '$.url') virtual,
    final_url text as (record ->> '$.final_url') virtual,
    status integer as (record ->> '$.status') virtual,
    tries integer as (json_array_length(record, '$.attempts')) virtual,
    queue_ms real as (record ->> '$.timings.queue') virtual,
    dns_ms real as (record ->> '$.timings.dns') virtual,
    connect_ms real as (record ->> '$.timings.connect') virtual,
    tls_ms real as (record ->> '$.timings.tls') virtual,
    first_byte_ms real as (record ->> '$.timings.first_byte') virtual,
    body_ms real as (record ->> '$.timings.body') virtual,
    total_ms real as (record ->> '$.timings.total') virtual,
    content_type text as (record ->> '$.content_type') virtual,
    body_bytes integer as (record ->> '$.body_bytes') virtual,
    body_file text as (record ->> '$.body_file') virtual,
    fields text as (nullif(record -> '$.fields', 'null')) virtual,
    data text as (nullif(record -> '$.data', 'null')) virtual,
    error_kind text as (record ->> '$.error.kind') virtual,
    error_phase text as (record ->> '$.error.phase') virtual,
    error text as (record ->> '$.error.message') virtual,
    retry_at text as (record ->> '$.error.retry_at') virtual,
    unique (name, run)
) strict;
create index outcomes_of_run on outcomes (run);

create view attempts as
select
    outcomes.id as outcome,
    attempt.key + 1 as number,
    attempt.value ->> '$.started_ms' as started_ms,
    attempt.value ->> '$.total_ms' as total_ms,
    attempt.value ->> '$.waited_ms' as waited_ms,
    attempt.value ->> '$.status' as status,
    attempt.value ->> '$.address' as address,
    attempt.value ->> '$.reused' as reused,
    attempt.value ->> '$.error.kind' as error_kind,
    attempt.value ->> '$.error.phase' as error_phase,
    attempt.value ->> '$.error.message' as error
from outcomes, json_each(outcomes.record, '$.attempts') as attempt;

create table contents (
    outcome integer primary key references outcomes on delete cascade,
    bytes blob not null
) strict;

create table row_sets (
    id integer primary key,
    outcome integer not null references outcomes on delete cascade,
    number integer not null,
    name text not null,
    columns text not null,
    unique (outcome, number)
) strict;

create table rows (
    row_set integer not null references row_sets on delete cascade,
    number integer not null,
    cells text not null,
    primary key (row_set, number)
) strict, without rowid;
