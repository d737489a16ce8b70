with ways as (
    select
        *,
        case
            when state <> 'CHALLENGE_SUCCEEDED' or method is null or method = 'PASSKEY' then 'no fallback'
            when coalesce(enrolled, '') not like '%"PASSKEY"%' then 'no passkey'
            when allowed not like '%"PASSKEY"%' then 'not offered'
            else 'chose otherwise'
        end as way
    from attempts
    where is_reported = 1 and is_challenged = 1 and is_mature = 1 and allowed is not null
)
select
    m.measure,
    w.day,
    case when w.way = m.measure or m.measure = 'any' and w.way <> 'no fallback' then 1 else 0 end as hit,
    w.action_code,
    w.verification_method,
    w.country_code,
    w.os,
    w.browser
from ways as w
cross join (
    select 'any' as measure union all select 'no passkey' union all select 'not offered' union all select 'chose otherwise'
) as m
