-- The tables of a new file, as the steps of schema_*.sql leave them; a test compares the two. Documented for users in
-- docs/state.md, with an example query for each.

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

create table outcome_records (
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
    unique (name, run)
) strict;
create index outcomes_of_run on outcome_records (run);

-- SQLite would compute virtual columns of a table whenever it writes a row; a view computes those that a query asks for.
create view outcomes as
select
    id, run, place, name, digest, settings, ended, ok, whole, record,
    coalesce(record ->> '$.url', name) as url,
    record ->> '$.final_url' as final_url,
    record ->> '$.status' as status,
    json_array_length(record, '$.attempts') as tries,
    cast(record ->> '$.timings.queue' as real) as queue_ms,
    cast(record ->> '$.timings.dns' as real) as dns_ms,
    cast(record ->> '$.timings.connect' as real) as connect_ms,
    cast(record ->> '$.timings.tls' as real) as tls_ms,
    cast(record ->> '$.timings.first_byte' as real) as first_byte_ms,
    cast(record ->> '$.timings.body' as real) as body_ms,
    cast(record ->> '$.timings.total' as real) as total_ms,
    record ->> '$.content_type' as content_type,
    record ->> '$.body_bytes' as body_bytes,
    record ->> '$.body_file' as body_file,
    case json_type(record, '$.fields[0]')
        when 'array' then (
            select json_group_array(json_object('name', value ->> '$[0]', 'value', value -> '$[1]'))
            from json_each(record, '$.fields')
        )
        else nullif(record -> '$.fields', 'null')
    end as fields,
    nullif(record -> '$.data', 'null') as data,
    record ->> '$.error.kind' as error_kind,
    record ->> '$.error.phase' as error_phase,
    record ->> '$.error.message' as error,
    record ->> '$.error.retry_at' as retry_at,
    record ->> '$.stale.age_s' as stale_age_s,
    record ->> '$.stale.error.message' as stale_error
from outcome_records;

create view attempts as
select
    outcome_records.id as outcome,
    attempt.key + 1 as number,
    attempt.value ->> '$.started_ms' as started_ms,
    attempt.value ->> '$.total_ms' as total_ms,
    attempt.value ->> '$.waited_ms' as waited_ms,
    attempt.value ->> '$.status' as status,
    attempt.value ->> '$.address' as address,
    attempt.value ->> '$.reused' as reused,
    attempt.value ->> '$.cache' as cache,
    attempt.value ->> '$.error.kind' as error_kind,
    attempt.value ->> '$.error.phase' as error_phase,
    attempt.value ->> '$.error.message' as error
from outcome_records, json_each(outcome_records.record, '$.attempts') as attempt;

create table row_sets (
    id integer primary key,
    outcome integer not null references outcome_records on delete cascade,
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

-- Outcomes and kept responses share contents. Ids are never given twice: an id that is remembered is that content or none.
create table bodies (
    id integer primary key autoincrement,
    bytes blob not null
) strict;

create table outcome_bodies (
    outcome integer primary key references outcome_records on delete cascade,
    body integer not null references bodies
) strict;
create index outcome_bodies_of_body on outcome_bodies (body);

create view contents as
select outcome_bodies.outcome, bodies.bytes from outcome_bodies join bodies on bodies.id = outcome_bodies.body;

-- The key of the hashes by which requests are known: nobody can try passwords against those of another file.
create table response_key (bytes blob not null) strict;
insert into response_key (bytes) values (randomblob(32));

-- The cache. A response belongs to the run that used it last, and goes with it. Times are milliseconds since 1970.
create table responses (
    id integer primary key autoincrement,
    run integer not null references runs on delete cascade,
    key blob not null,
    variant blob not null,
    received_ms integer not null,
    age_ms integer not null,
    lifetime_ms integer not null,
    no_cache integer not null,
    must_revalidate integer not null,
    body integer not null references bodies,
    body_bytes integer not null,
    status integer not null,
    etag blob,
    last_modified blob,
    vary text,
    url text not null,
    fields text not null,
    unique (key, variant)
) strict;
create index responses_of_run on responses (run);
create index responses_of_body on responses (body);

create trigger outcome_bodies_gone after delete on outcome_bodies
when not exists (select 1 from outcome_bodies where body = old.body)
    and not exists (select 1 from responses where body = old.body)
begin
    delete from bodies where id = old.body;
end;

create trigger responses_gone after delete on responses
when not exists (select 1 from outcome_bodies where body = old.body)
    and not exists (select 1 from responses where body = old.body)
begin
    delete from bodies where id = old.body;
end;

create table hosts (
    host text primary key,
    at_once integer not null
) strict;
