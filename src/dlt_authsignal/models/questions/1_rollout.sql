-- Did it help to offer passkeys in week 2?
-- Compares the week before the first offer with the second week after it. Each value is a share, or a median in seconds.
with periods as (
    select 'before' as period, date '{first}' - 7 as first_day, date '{first}' - 1 as last_day
    union all
    select 'after', date '{first}' + 7, date '{first}' + 13
),
rates as (
    select p.period, 'sign-ins with a passkey' as rate, sum(k.numerator) / sum(k.denominator) as value
    from kpi_passkey_usage_rate as k
    join periods as p on k.period_start between p.first_day and p.last_day
    where k.measure = 'passkey' and k.period_grain = 'day' and k.dimension = 'all'
    group by p.period
    union all
    select p.period, 'abandoned challenges', sum(k.numerator) / sum(k.denominator)
    from kpi_drop_off_rate as k
    join periods as p on k.period_start between p.first_day and p.last_day
    where k.measure = 'abandoned' and k.period_grain = 'day' and k.dimension = 'all'
    group by p.period
    union all
    select p.period, 'seconds to sign in', median(date_diff('millisecond', a.created_at, a.state_updated_at)) / 1000
    from all_user_actions as a
    join periods as p on cast(a.created_at as date) between p.first_day and p.last_day
    where a.state = 'CHALLENGE_SUCCEEDED' and a.action_code = 'signIn'
    group by p.period
)
select
    rate,
    max(case when period = 'before' then value end) as before,
    max(case when period = 'after' then value end) as after
from rates
group by rate
order by rate
