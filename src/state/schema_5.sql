-- Documented for users in docs/state.md.

-- A record has no URL where that is the name, and its fields are pairs. Those of older files have objects.
drop view outcomes;
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
