with codes as (
    select user_id, action_code, idempotency_key, sum(price) as price
    from sent_codes
    group by user_id, action_code, idempotency_key
),
passed as (
    select
        month_of(a.day) as month,
        case when a.method = 'PASSKEY' then 1 else 0 end as by_passkey,
        coalesce(c.price, 0) as price
    from attempts as a
    left join codes as c
        on c.user_id = a.user_id and c.action_code = a.action_code and c.idempotency_key = a.idempotency_key
    where a.is_reported = 1 and a.state = 'CHALLENGE_SUCCEEDED'
)
select
    g.period_grain,
    case when g.period_grain = 'month' then p.month end as period_start,
    'avoided' as measure,
    'all' as dimension,
    'all' as dimension_value,
    sum(p.by_passkey)
        * (sum(case when p.by_passkey = 0 then p.price end) * 1.0 / nullif(sum(1 - p.by_passkey), 0)) as numerator,
    sum(p.by_passkey) as denominator
from passed as p
cross join (select 'all' as period_grain union all select 'month') as g
group by g.period_grain, case when g.period_grain = 'month' then p.month end
