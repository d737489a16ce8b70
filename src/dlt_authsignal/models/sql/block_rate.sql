-- Block rate: what share of all attempts was blocked?
-- One row per action code. Counts the current state, so a block that was removed later is not counted.
select
    action_code as slice,
    count(*) filter (where state = 'BLOCK') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
group by action_code
