-- Copies of events that arrived besides the first: records in the loaded files, less the rows of the table.
select
    'duplicates' as figure,
    '{table}' as slice,
    cast(coalesce((select sum(records) from event_files where table_name = '{table}'), 0) as double precision)
    - (select count(*) from {table}) as value,
    'events' as unit,
    (select min(received_at) from event_files where table_name = '{table}') as first_at,
    (select max(received_at) from event_files where table_name = '{table}') as last_at
