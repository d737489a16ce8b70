-- Drop-off rate: which share of the challenged attempts was abandoned?
-- One row per action code. Abandoned: still CHALLENGE_REQUIRED ten minutes on, when the token has expired; attempts
-- younger than that when they were read are left out.
select
    action_code as slice,
    count(*) filter (where state = 'CHALLENGE_REQUIRED') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
where state like 'CHALLENGE%' and created_at <= _read_at - interval '10' minute
group by action_code
