with hits as (
    select
        {subject} as subject,
        user_id,
        created_at as seen_at,
        user_id || '/' || action_code || '/' || idempotency_key as hit,
        case when state = 'CHALLENGE_REQUIRED' then 1 else 0 end as is_abandoned
    from attempts
    where {subject} is not null
        and (state = 'CHALLENGE_FAILED' or (state = 'CHALLENGE_REQUIRED' and is_mature = 1))
),
{episodes},
of_failures as (
    select
        e.subject,
        e.first_event,
        e.first_seen,
        e.last_seen,
        count(*) as event_count,
        sum(h.is_abandoned) as abandoned,
        count(distinct h.user_id) as users
    from episodes as e
    join hits as h on h.subject = e.subject and h.seen_at >= e.first_seen and h.seen_at <= e.last_seen
    group by e.subject, e.first_event, e.first_seen, e.last_seen
)
select
    f.subject, f.first_event, f.first_seen, f.last_seen, f.event_count, f.abandoned, f.users,
    count(s.subject) as succeeded
from of_failures as f
left join (
    select {subject} as subject, created_at as seen_at
    from attempts
    where state = 'CHALLENGE_SUCCEEDED'
) as s
    on s.subject = f.subject and s.seen_at >= f.first_seen
    and date_diff('millisecond', f.last_seen, s.seen_at) <= {minutes} * 60000
group by f.subject, f.first_event, f.first_seen, f.last_seen, f.event_count, f.abandoned, f.users
