select
    day,
    date_diff('millisecond', created_at, state_updated_at) / 1000.0 as seconds,
    action_code,
    verification_method,
    country_code,
    os,
    browser
from attempts
where state = 'CHALLENGE_SUCCEEDED' and state_updated_at is not null
