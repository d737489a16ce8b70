-- How often does each step of a challenge happen?
select verification_method, challenge_type, count(*) as steps, count(distinct idempotency_key) as attempts
from challenge_log
group by verification_method, challenge_type
order by verification_method, steps desc;

-- What share of sent codes was entered correctly, by method?
select
    verification_method,
    count(distinct idempotency_key) filter (where challenge_type like '%_SENT') as sent,
    count(distinct idempotency_key) filter (where challenge_type like '%_CODE_VALID') as valid,
    round(100.0 * valid / nullif(sent, 0), 1) as percent
from challenge_log
group by verification_method
order by sent desc;

-- How many seconds pass between a code and its use?
with steps as (
    select
        verification_method,
        idempotency_key,
        min(created_at) filter (where challenge_type like '%_SENT') as sent_at,
        max(created_at) filter (where challenge_type like '%_CODE_VALID') as used_at
    from challenge_log
    group by verification_method, idempotency_key
)
select verification_method, count(*) as codes, median(date_diff('second', sent_at, used_at)) as seconds
from steps
where used_at >= sent_at
group by verification_method
order by verification_method;
