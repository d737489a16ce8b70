select
    m.measure,
    a.day,
    case
        when m.measure = 'challenged' then a.is_challenged
        when coalesce(a.outcome, a.state) = 'BLOCK' then 1
        else 0
    end as hit,
    a.action_code,
    coalesce(a.priority_rule_id, 'unknown') as rule,
    a.country_code,
    a.os,
    a.browser
from attempts as a
cross join (select 'challenged' as measure union all select 'blocked') as m
