with offers as (
    select user_id, min(created_at) as offered_at
    from attempts
    where is_reported = 1 and state = 'CHALLENGE_SUCCEEDED' and allowed like '%"PASSKEY"%'
        and coalesce(enrolled, '') not like '%"PASSKEY"%'
    group by user_id
),
enrolments as (
    select o.user_id, min(a.created_at) as enrolled_at
    from offers as o
    join authenticator_spells as a on a.user_id = o.user_id and a.created_at >= o.offered_at
    where a.verification_method = 'PASSKEY'
    group by o.user_id
)
select
    w.measure,
    utc_day(o.offered_at) as day,
    case when date_diff('millisecond', o.offered_at, e.enrolled_at) / 86400000.0 <= w.days then 1 else 0 end as hit
from offers as o
left join enrolments as e on e.user_id = o.user_id
cross join (select 'ever' as measure, 36500 as days, 0 as wait union all select '30 days', 30, 30) as w
cross join attempt_bounds as b
where w.wait = 0 or day_plus(utc_day(o.offered_at), w.wait) < b.until_day
