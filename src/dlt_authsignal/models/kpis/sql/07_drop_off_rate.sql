select
    'abandoned' as measure,
    day,
    case when state = 'CHALLENGE_REQUIRED' then 1 else 0 end as hit,
    action_code,
    country_code,
    os,
    browser
from attempts
where is_challenged = 1 and is_mature = 1
