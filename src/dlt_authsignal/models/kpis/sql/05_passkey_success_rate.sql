with starts as (
    select distinct user_id, action_code, idempotency_key
    from challenge_steps
    where verification_method = 'PASSKEY'
)
select
    'succeeded' as measure,
    a.day,
    case when a.state = 'CHALLENGE_SUCCEEDED' then 1 else 0 end as hit,
    a.action_code,
    a.country_code,
    a.os,
    a.browser
from attempts as a
join starts as s
    on s.user_id = a.user_id and s.action_code = a.action_code and s.idempotency_key = a.idempotency_key
where a.is_mature = 1
