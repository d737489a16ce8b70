-- Drop-off rate: what share of the challenged attempts was abandoned?
-- One row per action code. An attempt is abandoned if it is still CHALLENGE_REQUIRED after ten minutes, when its token
-- has expired. Attempts that were younger when read are excluded.
select
    action_code as slice,
    count(*) filter (where state = 'CHALLENGE_REQUIRED') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
where state like 'CHALLENGE%' and created_at <= _read_at - interval '10' minute
group by action_code
