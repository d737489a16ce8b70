select
    'succeeded' as measure,
    day,
    case when state = 'CHALLENGE_SUCCEEDED' then 1 else 0 end as hit,
    action_code,
    verification_method,
    country_code,
    os,
    browser
from attempts
where is_challenged = 1 and is_mature = 1
