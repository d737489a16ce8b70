-- Challenge success rate: what share of the challenged attempts succeeded?
-- One row per action code. An attempt is challenged if its state begins with CHALLENGE_. Attempts that were less than
-- ten minutes old when read are excluded, because they may still succeed.
select
    action_code as slice,
    count(*) filter (where state = 'CHALLENGE_SUCCEEDED') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
where state like 'CHALLENGE%' and created_at <= _read_at - interval '10' minute
group by action_code
