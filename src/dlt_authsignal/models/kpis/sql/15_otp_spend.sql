with messages as (
    select month_of(utc_day(created_at)) as month, channel, price
    from sent_codes
)
select
    g.period_grain,
    case when g.period_grain = 'month' then m.month end as period_start,
    'spent' as measure,
    s.dimension,
    case when s.dimension = 'channel' then m.channel else 'all' end as dimension_value,
    sum(m.price) as numerator,
    count(m.price) as denominator
from messages as m
cross join (select 'all' as period_grain union all select 'month') as g
cross join (select 'all' as dimension union all select 'channel') as s
group by
    g.period_grain,
    case when g.period_grain = 'month' then m.month end,
    s.dimension,
    case when s.dimension = 'channel' then m.channel else 'all' end
