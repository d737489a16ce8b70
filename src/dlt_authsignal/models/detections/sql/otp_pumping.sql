with entered as (
    select distinct user_id, action_code, idempotency_key
    from challenge_log
    where challenge_type in ('SMS_CODE_VALID', 'WHATSAPP_CODE_VALID')
    union
    select user_id, action_code, idempotency_key
    from attempts
    where state = 'CHALLENGE_SUCCEEDED'
),
steps as (
    select
        *,
        coalesce({place}, 'unknown') as subject,
        coalesce(created_at, event_time) as seen_at
    from challenge_log
    where left(challenge_type, 4) = 'SMS_' or left(challenge_type, 9) = 'WHATSAPP_'
),
sent as (
    select
        s.subject,
        s.seen_at,
        s.event_id as hit,
        s.user_id,
        case when e.user_id is null then 0 else 1 end as is_entered
    from steps as s
    left join entered as e
        on e.user_id = s.user_id and e.action_code = s.action_code and e.idempotency_key = s.idempotency_key
    where s.challenge_type in ('SMS_SENT', 'WHATSAPP_SENT')
),
hits as (
    select s.*
    from sent as s
    cross join (select max(event_time) as newest from challenge_log) as n
    where s.is_entered = 0 and date_diff('millisecond', s.seen_at, n.newest) >= {minutes_to_enter} * 60000
),
{episodes},
of_codes as (
    select
        e.subject,
        e.first_event,
        e.first_seen,
        e.last_seen,
        count(case when s.is_entered = 0 then 1 end) as event_count,
        count(*) as codes_sent,
        sum(s.is_entered) as codes_entered,
        count(distinct s.user_id) as users
    from episodes as e
    join sent as s on s.subject = e.subject and s.seen_at >= e.first_seen and s.seen_at <= e.last_seen
    group by e.subject, e.first_event, e.first_seen, e.last_seen
)
select
    c.subject,
    c.first_event,
    c.first_seen,
    c.last_seen,
    c.event_count,
    c.codes_sent,
    c.codes_entered,
    c.users,
    count(u.subject) as unknown_steps
from of_codes as c
left join (select * from steps where challenge_type not in ({known_steps})) as u
    on u.subject = c.subject and u.seen_at >= c.first_seen and u.seen_at <= c.last_seen
where 100 * c.codes_entered <= {valid_percent} * c.codes_sent
group by
    c.subject, c.first_event, c.first_seen, c.last_seen, c.event_count, c.codes_sent, c.codes_entered, c.users
