select
    w.measure,
    a.day as starts_on,
    least(day_plus(a.day, w.days), coalesce(a.next_day, date '9999-12-31')) as ends_on,
    1 as hits,
    0 as cases
from active_days as a
cross join (
    select 'in a day' as measure, 1 as days union all select 'in 7 days', 7 union all select 'in 30 days', 30
) as w
