with failed as (
    select distinct user_id, action_code, idempotency_key
    from challenge_steps
    where step = 'error'
)
select
    'error' as measure,
    a.day,
    case when f.user_id is not null or a.state = 'CHALLENGE_FAILED' then 1 else 0 end as hit,
    a.action_code,
    a.country_code,
    a.os,
    a.browser
from attempts as a
left join failed as f
    on f.user_id = a.user_id and f.action_code = a.action_code and f.idempotency_key = a.idempotency_key
where a.is_challenged = 1 and a.is_mature = 1 and a.is_reported = 1
