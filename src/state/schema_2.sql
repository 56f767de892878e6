-- Documented for users in docs/state.md.

-- Outcomes and kept responses share contents. Ids are never given twice: an id that is remembered is that content or none.
create table bodies (
    id integer primary key autoincrement,
    bytes blob not null
) strict;

create table outcome_bodies (
    outcome integer primary key references outcomes on delete cascade,
    body integer not null references bodies
) strict;
create index outcome_bodies_of_body on outcome_bodies (body);

insert into bodies (id, bytes) select outcome, bytes from contents;
insert into outcome_bodies (outcome, body) select outcome, outcome from contents;
drop table contents;
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

alter table outcomes add column stale_age_s integer as (record ->> '$.stale.age_s') virtual;
alter table outcomes add column stale_error text as (record ->> '$.stale.error.message') virtual;

drop view attempts;
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
    attempt.value ->> '$.cache' as cache,
    attempt.value ->> '$.error.kind' as error_kind,
    attempt.value ->> '$.error.phase' as error_phase,
    attempt.value ->> '$.error.message' as error
from outcomes, json_each(outcomes.record, '$.attempts') as attempt;
