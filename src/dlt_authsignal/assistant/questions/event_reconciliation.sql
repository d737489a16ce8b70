-- Is any event missing?
select figure, value as attempts, first_at, last_at
from event_reconciliation
where unit = 'attempts' and slice is null
order by attempts desc;

-- How late do events arrive?
select slice as events_of, figure, value as seconds
from event_reconciliation
where figure like 'lag_%'
order by events_of, figure;

-- What was the longest time without a delivery?
select value / 3600 as hours, first_at, last_at
from event_reconciliation
where figure = 'longest_silence';
