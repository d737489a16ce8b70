-- Copies of events that arrived besides the first: records in the loaded files, less the rows of the table.
-- No filter on table_name, because DuckDB cannot push one on text down to Delta tables.
select
    'duplicates' as figure,
    '{table}' as slice,
    cast(coalesce(sum(case when table_name = '{table}' then records end), 0) as double precision)
    - (select count(*) from {table}) as value,
    'events' as unit,
    min(case when table_name = '{table}' then received_at end) as first_at,
    max(case when table_name = '{table}' then received_at end) as last_at
from event_files
