-- Documented for users in docs/state.md.

-- SQLite computes the virtual columns of a table whenever it writes a row, all of them: that took more than half of the time
-- to write an outcome. A view computes those that a query asks for.
drop view attempts;
alter table outcomes drop column url;
alter table outcomes drop column final_url;
alter table outcomes drop column status;
alter table outcomes drop column tries;
alter table outcomes drop column queue_ms;
alter table outcomes drop column dns_ms;
alter table outcomes drop column connect_ms;
alter table outcomes drop column tls_ms;
alter table outcomes drop column first_byte_ms;
alter table outcomes drop column body_ms;
alter table outcomes drop column total_ms;
alter table outcomes drop column content_type;
alter table outcomes drop column body_bytes;
alter table outcomes drop column body_file;
alter table outcomes drop column fields;
alter table outcomes drop column data;
alter table outcomes drop column error_kind;
alter table outcomes drop column error_phase;
alter table outcomes drop column error;
alter table outcomes drop column retry_at;
alter table outcomes drop column stale_age_s;
alter table outcomes drop column stale_error;
alter table outcomes rename to outcome_records;

create view outcomes as
select
    id, run, place, name, digest, settings, ended, ok, whole, record,
    record ->> '$.url' as url,
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
    nullif(record -> '$.fields', 'null') as fields,
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
