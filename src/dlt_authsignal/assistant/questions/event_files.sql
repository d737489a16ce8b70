-- When were events last received and loaded, by table?
select table_name, max(received_at) as received_at, max(loaded_at) as loaded_at, sum(records) as events
from event_files
group by table_name
order by table_name;

-- How many events arrive per day?
select date_trunc('day', received_at) as day, table_name, count(*) as files, sum(records) as events
from event_files
group by day, table_name
order by day, table_name;

-- Which loads were slowest, from receipt to the table?
select table_name, received_at, loaded_at, date_diff('second', received_at, loaded_at) as seconds, records
from event_files
order by seconds desc
limit 20;
