-- The longest time without a delivery.
select
    'longest_silence' as figure,
    cast(null as text) as slice,
    date_diff('millisecond', since, received_at) / 1000.0 as value,
    'seconds' as unit,
    since as first_at,
    received_at as last_at
from (
    select since, received_at, row_number() over (
        order by date_diff('millisecond', since, received_at) desc, received_at desc
    ) as place
    from (
        select received_at, lag(received_at) over (order by received_at) as since
        from event_files
    ) as deliveries
    where since is not null
) as gaps
where place = 1
