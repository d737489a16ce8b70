with prices as (
    select channel, coalesce(country_code, 'any') as country_code, max(price) as price
    from otp_prices
    group by channel, coalesce(country_code, 'any')
),
messages as (
    select
        month_of(utc_day(s.created_at)) as month,
        s.channel,
        coalesce(p.price, d.price) as price
    from challenge_steps as s
    left join prices as p on p.channel = s.channel and p.country_code = s.phone_country
    left join prices as d on d.channel = s.channel and d.country_code = 'any'
    where s.step = 'sent' and s.channel in ('SMS', 'WHATSAPP', 'EMAIL_OTP')
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
