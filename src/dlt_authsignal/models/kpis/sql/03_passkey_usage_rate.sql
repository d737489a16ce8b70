select
    'passkey' as measure,
    day,
    case when method = 'PASSKEY' then 1 else 0 end as hit,
    action_code,
    country_code,
    os,
    browser
from attempts
where state = 'CHALLENGE_SUCCEEDED' and action_code in ({sign_in_actions})
