-- Can these numbers be trusted?
-- How many attempts the API and the events agree on, and from when to when each source reports.
select figure, slice, value, unit, first_at, last_at
from event_reconciliation
where unit = 'attempts' or figure in ('duplicates', 'longest_silence')
order by figure, slice
