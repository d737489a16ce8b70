-- Which users did the release of week 4 hurt, and how much?
-- Compares, by operating system, the five days before the release with the days of the release. The worst hit comes first.
with periods as (
    select 'before' as period, date '{first}' - 5 as first_day, date '{first}' - 1 as last_day
    union all
    select 'during', date '{first}', date '{last}'
),
counts as (
    select k.dimension_value as os, p.period, 'drop-off' as rate, sum(k.numerator) as hits, sum(k.denominator) as cases
    from kpi_drop_off_rate as k
    join periods as p on k.period_start between p.first_day and p.last_day
    where k.measure = 'abandoned' and k.period_grain = 'day' and k.dimension = 'os'
    group by k.dimension_value, p.period
    union all
    select k.dimension_value, p.period, 'passkey', sum(k.numerator), sum(k.denominator)
    from kpi_passkey_success_rate as k
    join periods as p on k.period_start between p.first_day and p.last_day
    where k.measure = 'succeeded' and k.period_grain = 'day' and k.dimension = 'os'
    group by k.dimension_value, p.period
),
broken as (
    select a.user_agent_os as os, count(distinct a.user_id) as users, count(*) as attempts
    from all_user_actions as a
    join (
        select distinct user_id, action_code, idempotency_key
        from challenge_log
        where verification_method = 'PASSKEY'
    ) as s on s.user_id = a.user_id and s.action_code = a.action_code and s.idempotency_key = a.idempotency_key
    where cast(a.created_at as date) between date '{first}' and date '{last}'
        and coalesce(a.verification_method, '') <> 'PASSKEY'
    group by a.user_agent_os
),
rates as (
    select
        os,
        sum(case when rate = 'drop-off' and period = 'before' then hits end)
            / sum(case when rate = 'drop-off' and period = 'before' then cases end) as drop_off_before,
        sum(case when rate = 'drop-off' and period = 'during' then hits end)
            / sum(case when rate = 'drop-off' and period = 'during' then cases end) as drop_off_during,
        sum(case when rate = 'passkey' and period = 'before' then hits end)
            / sum(case when rate = 'passkey' and period = 'before' then cases end) as passkey_success_before,
        sum(case when rate = 'passkey' and period = 'during' then hits end)
            / sum(case when rate = 'passkey' and period = 'during' then cases end) as passkey_success_during
    from counts
    group by os
)
select
    r.os,
    r.drop_off_before,
    r.drop_off_during,
    r.passkey_success_before,
    r.passkey_success_during,
    coalesce(b.users, 0) as users_whose_passkey_failed,
    coalesce(b.attempts, 0) as attempts_whose_passkey_failed
from rates as r
left join broken as b on b.os = r.os
where r.os <> 'unknown'
order by r.passkey_success_during - r.passkey_success_before, r.os
