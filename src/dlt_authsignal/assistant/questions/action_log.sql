-- What were users offered, and what did they use?
select allowed_verification_methods, verification_method, count(distinct idempotency_key) as attempts
from action_log
where state = 'CHALLENGE_SUCCEEDED'
group by allowed_verification_methods, verification_method
order by attempts desc;

-- What did the rule engine decide, by action and day?
select action_code, date_trunc('day', created_at) as day, outcome, count(distinct idempotency_key) as attempts
from action_log
group by action_code, day, outcome
order by day, action_code, attempts desc;

-- Which users with a passkey to choose used another method?
select user_id, verification_method, count(distinct idempotency_key) as attempts
from action_log
where list_contains(allowed_verification_methods::json::varchar[], 'PASSKEY')
    and verification_method is not null and verification_method <> 'PASSKEY'
group by user_id, verification_method
order by attempts desc;
