-- Challenge success rate: which share of the challenged attempts succeeded?
-- One row per action code. Challenged: the attempt stands in a CHALLENGE_ state; attempts younger than ten minutes when
-- they were read may still succeed and are left out.
select
    action_code as slice,
    count(*) filter (where state = 'CHALLENGE_SUCCEEDED') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
where state like 'CHALLENGE%' and created_at <= _read_at - interval '10' minute
group by action_code
