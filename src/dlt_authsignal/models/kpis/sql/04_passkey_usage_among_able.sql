select
    'passkey' as measure,
    day,
    case when method = 'PASSKEY' then 1 else 0 end as hit,
    action_code,
    country_code,
    os,
    browser
from attempts
where is_reported = 1 and state = 'CHALLENGE_SUCCEEDED' and action_code in ({sign_in_actions})
    and allowed like '%"PASSKEY"%' and enrolled like '%"PASSKEY"%'
