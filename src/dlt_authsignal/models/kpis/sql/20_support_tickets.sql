with days as (
    select g.period_grain, case when g.period_grain = 'month' then month_of(a.day) end as period_start,
        count(distinct case when a.state in ('ALLOW', 'CHALLENGE_SUCCEEDED') then a.user_id end) as active,
        min(a.day) as first_day,
        max(a.day) as last_day
    from attempts as a
    cross join (select 'all' as period_grain union all select 'month') as g
    group by g.period_grain, case when g.period_grain = 'month' then month_of(a.day) end
),
tickets as (
    select utc_day(opened_at) as day, count(*) as tickets from support_tickets group by utc_day(opened_at)
)
select
    d.period_grain,
    d.period_start,
    'tickets' as measure,
    'all' as dimension,
    'all' as dimension_value,
    coalesce(sum(t.tickets), 0) * 365.0 / (date_diff('day', max(d.first_day), max(d.last_day)) + 1) as numerator,
    max(d.active) as denominator
from days as d
left join tickets as t on t.day >= d.first_day and t.day <= d.last_day
group by d.period_grain, d.period_start
