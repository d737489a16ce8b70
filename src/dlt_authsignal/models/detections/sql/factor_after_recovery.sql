with recoveries as (
    select
        user_id,
        user_id || '/' || action_code || '/' || idempotency_key as hit,
        coalesce(state_updated_at, created_at) as recovered_at,
        case when method = 'RECOVERY_CODE' then 'code' else 'action' end as recovered_by
    from attempts
    where (state = 'CHALLENGE_SUCCEEDED' and method = 'RECOVERY_CODE')
        or (state in ('CHALLENGE_SUCCEEDED', 'ALLOW') and action_code in ({recovery_actions}))
),
enrolments as (
    select user_authenticator_id, min(user_id) as user_id, min(method) as method, min(enrolled_at) as enrolled_at
    from ({enrolled}) as every_enrolment
    where method <> 'RECOVERY_CODE'
    group by user_authenticator_id
)
select
    r.user_id as subject,
    r.hit as first_event,
    r.recovered_at as first_seen,
    max(e.enrolled_at) as last_seen,
    count(*) as event_count,
    count(*) as authenticators,
    min(e.method) as first_method,
    r.recovered_by,
    min(date_diff('millisecond', r.recovered_at, e.enrolled_at)) / 60000 as minutes_after
from recoveries as r
join enrolments as e on e.user_id = r.user_id and e.enrolled_at >= r.recovered_at
    and date_diff('millisecond', r.recovered_at, e.enrolled_at) <= {hours} * 3600000
group by r.user_id, r.hit, r.recovered_at, r.recovered_by
