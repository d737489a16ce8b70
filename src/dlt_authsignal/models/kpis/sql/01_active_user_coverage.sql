with active as (
    select user_id, day as starts_on, least(day_plus(day, 30), coalesce(next_day, date '9999-12-31')) as ends_on
    from active_days
)
select 'active users' as measure, starts_on, ends_on, 0 as hits, 1 as cases from active
union all
select 'active users', greatest(a.starts_on, m.starts_on), least(a.ends_on, m.ends_on), 1, 0
from active as a
join user_methods as m on m.user_id = a.user_id and m.starts_on < a.ends_on and a.starts_on < m.ends_on
where m.passkeys > 0
