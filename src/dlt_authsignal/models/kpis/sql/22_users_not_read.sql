select
    'all' as period_grain,
    cast(null as date) as period_start,
    d.measure,
    'all' as dimension,
    'all' as dimension_value,
    count(case when date_diff('millisecond', r.user_actions_read_at, l.last_read) / 86400000.0 > d.days
        or r.user_actions_read_at is null then 1 end) as numerator,
    count(*) as denominator
from users as u
left join user_reads as r on r.user_id = u.user_id
cross join (select max(user_actions_read_at) as last_read from user_reads) as l
cross join (
    select 'in 1 day' as measure, 1 as days union all select 'in 7 days', 7 union all select 'in 25 days', 25
) as d
where u.deleted_at is null
group by d.measure
