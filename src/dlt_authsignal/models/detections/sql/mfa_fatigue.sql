with hits as (
    select
        user_id as subject,
        user_id,
        action_code,
        idempotency_key,
        min(coalesce(created_at, event_time)) as seen_at,
        min(event_id) as hit
    from challenge_log
    where verification_method = 'PUSH' and {is_push}
    group by user_id, action_code, idempotency_key, {one_push}
),
{episodes}
select
    e.subject,
    e.first_event,
    e.first_seen,
    e.last_seen,
    count(distinct h.hit) as event_count,
    count(distinct h.idempotency_key) as attempts,
    count(distinct case when a.state = 'CHALLENGE_SUCCEEDED' and a.method = 'PUSH' then a.idempotency_key end)
        as approved,
    count(distinct nullif(a.country_code, 'unknown')) as countries
from episodes as e
join hits as h on h.subject = e.subject and h.seen_at >= e.first_seen and h.seen_at <= e.last_seen
left join attempts as a
    on a.user_id = h.user_id and a.action_code = h.action_code and a.idempotency_key = h.idempotency_key
group by e.subject, e.first_event, e.first_seen, e.last_seen
