-- Which rules decide, and how do their attempts end?
select priority_rule_id, state, count(*) as attempts
from action_details
where priority_rule_id is not null
group by priority_rule_id, state
order by attempts desc;

-- How many rules fire on one attempt?
select coalesce(json_array_length(rule_ids::json), 0) as rules_fired, count(*) as attempts
from action_details
group by rules_fired
order by rules_fired;

-- Which attempts were blocked although no rule fired?
select action_code, count(*) as attempts
from action_details
where state = 'BLOCK' and priority_rule_id is null
group by action_code;
