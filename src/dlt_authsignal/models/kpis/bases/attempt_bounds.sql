-- One row: the first day with attempts, the first and the last day of which all are loaded, and the day after the last.
select
    min(a.day) as first_day,
    day_plus(min(a.day), 1) as complete_from,
    least(max(a.day), day_plus(min(u.until_day), -1)) as last_day,
    min(u.until_day) as until_day
from attempts as a
cross join ({until}) as u
