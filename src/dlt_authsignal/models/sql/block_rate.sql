-- Block rate: which share of all attempts was blocked?
-- One row per action code. Taken from the state, so a block lifted by hand later does not count.
select
    action_code as slice,
    count(*) filter (where state = 'BLOCK') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
group by action_code
