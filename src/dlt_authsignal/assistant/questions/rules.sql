-- Which rules decide on each action, in which order?
select action_code, priority, name, type, is_active
from rules
where deleted_at is null
order by action_code, priority;

-- Which rules are switched off?
select action_code, name, type
from rules
where not is_active and deleted_at is null
order by action_code, name;

-- How many rules does each action have, by result?
select action_code, type, count(*) as rules
from rules
where is_active and deleted_at is null
group by action_code, type
order by action_code, type;
