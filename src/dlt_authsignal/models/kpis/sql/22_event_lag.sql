select
    utc_day(event_time) as day,
    date_diff('millisecond', event_time, _read_at) / 1000.0 as seconds,
    table_name as event_table
from every_event
where event_time is not null
