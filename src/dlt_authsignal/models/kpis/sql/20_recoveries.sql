with used as (
    select
        g.period_grain,
        case when g.period_grain = 'month' then month_of(a.day) end as period_start,
        count(distinct case when a.state in ('ALLOW', 'CHALLENGE_SUCCEEDED') then a.user_id end) as active,
        sum(case when a.method = 'RECOVERY_CODE' and a.state = 'CHALLENGE_SUCCEEDED' then 1 else 0 end) as recoveries,
        min(a.day) as first_day,
        max(a.day) as last_day
    from attempts as a
    cross join (select 'all' as period_grain union all select 'month') as g
    where a.is_reported = 1
    group by g.period_grain, case when g.period_grain = 'month' then month_of(a.day) end
)
select
    period_grain,
    period_start,
    'recoveries' as measure,
    'all' as dimension,
    'all' as dimension_value,
    recoveries * 365.0 / (date_diff('day', first_day, last_day) + 1) as numerator,
    active as denominator
from used
