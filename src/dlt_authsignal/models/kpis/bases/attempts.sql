-- One row per attempt. queries.py fills in the parts in braces: they depend on what is loaded.
select
    a.user_id,
    a.action_code,
    a.idempotency_key,
    a.created_at,
    utc_day(a.created_at) as day,
    a.state,
    a.state_updated_at,
    a.verification_method as method,
    coalesce(a.verification_method, 'unknown') as verification_method,
    coalesce(a.country_code, 'unknown') as country_code,
    {ip_address} as ip_address,
    {os} as os,
    {browser} as browser,
    {outcome} as outcome,
    case when coalesce({outcome} = 'CHALLENGE', a.state like 'CHALLENGE%') then 1 else 0 end as is_challenged,
    case when date_diff('millisecond', a.created_at, {read_at}) >= t.minutes * 60000 then 1 else 0 end as is_mature,
    {reported} as is_reported,
    {allowed} as allowed,
    {enrolled} as enrolled,
    {rules} as rules,
    {priority_rule_id} as priority_rule_id
from {attempts} as a
cross join ({token_minutes}) as t
