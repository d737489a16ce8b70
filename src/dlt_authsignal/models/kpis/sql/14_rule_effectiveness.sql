with fired as (
    select
        concat(r.action_code, ': ', r.name) as rule,
        a.day,
        a.state,
        a.is_challenged * a.is_mature as is_over,
        case when a.priority_rule_id = r.rule_id then 1 else 0 end as has_decided,
        case when a.rules like concat('%"', r.rule_id, '"%') then 1 else 0 end as has_fired
    from attempts as a
    join rules as r on r.action_code = a.action_code
    where a.is_reported = 1
)
select
    m.measure,
    f.day,
    case
        when m.measure = 'fired' then f.has_fired
        when m.measure = 'decided' then f.has_decided
        when m.state = f.state then 1
        else 0
    end as hit,
    f.rule
from fired as f
join (
    select 'fired' as measure, 'any' as state
    union all
    select 'decided', 'any'
    union all
    select 'succeeded', 'CHALLENGE_SUCCEEDED'
    union all
    select 'failed', 'CHALLENGE_FAILED'
    union all
    select 'abandoned', 'CHALLENGE_REQUIRED'
) as m on m.measure = 'fired' or f.has_fired = 1 and (m.state = 'any' or f.is_over = 1)
