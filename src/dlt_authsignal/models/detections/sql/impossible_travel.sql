with placed as (
    select
        user_id as subject,
        country_code,
        created_at as reached_at,
        lag(country_code) over (partition by user_id order by created_at, action_code, idempotency_key) as from_country,
        lag(created_at) over (partition by user_id order by created_at, action_code, idempotency_key) as seen_at,
        lag(action_code || '/' || idempotency_key)
            over (partition by user_id order by created_at, action_code, idempotency_key) as hit
    from attempts
    where country_code <> 'unknown' and {is_counted}
),
windows as (
    select *
    from placed
    where from_country <> country_code
        and date_diff('millisecond', seen_at, reached_at) < {minutes} * 60000
        and least(from_country, country_code) || '-' || greatest(from_country, country_code) not in ({ignored_pairs})
),
{islands}
select
    e.subject,
    e.first_event,
    e.first_seen,
    e.last_seen,
    count(*) as event_count,
    count(*) as changes,
    min(least(w.from_country, w.country_code)) as country_a,
    max(greatest(w.from_country, w.country_code)) as country_b,
    min(date_diff('millisecond', w.seen_at, w.reached_at)) / 60000 as shortest_minutes
from episodes as e
join windows as w on w.subject = e.subject and w.seen_at >= e.first_seen and w.reached_at <= e.last_seen
group by e.subject, e.first_event, e.first_seen, e.last_seen
