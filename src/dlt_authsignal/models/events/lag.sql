-- How long after it was created an event was received, over the last 7 days of a table.
select
    'lag_{name}' as figure,
    '{table}' as slice,
    percentile_cont({percentile}) within group (
        order by date_diff('millisecond', event_time, _read_at) / 1000.0
    ) as value,
    'seconds' as unit,
    min(_read_at) as first_at,
    max(_read_at) as last_at
from {table}
where _read_at > (select max(_read_at) from {table}) - interval '7' day
