-- When did the settings of each action change?
select action_code, valid_from, valid_to, default_user_action_result, verification_methods
from action_configurations_history
order by valid_from desc, action_code;

-- Which action codes were added after the first read?
select action_code, min(valid_from) as first_seen
from action_configurations_history
group by action_code
having min(valid_from) > (select min(valid_from) from action_configurations_history)
order by first_seen;

-- Which action codes were removed?
select action_code, max(valid_to) as gone_at
from action_configurations_history
group by action_code
having count(*) = count(valid_to)
order by gone_at desc;
