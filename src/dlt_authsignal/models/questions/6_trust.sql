-- Can these numbers be trusted?
-- Shows on how many attempts the API and the events agree, and which period the comparison covers.
select figure, slice, value, unit, first_at, last_at
from event_reconciliation
where unit = 'attempts' or figure in ('duplicates', 'longest_silence')
order by figure, slice
