-- Which rules look at the country?
select r.action_code, r.name, r.type, r.is_active
from rule_conditions as c
join rules as r on r.rule_id = c.rule_id
where c.variable ilike '%country%' and c.deleted_at is null and r.deleted_at is null
order by r.action_code, r.name;

-- How many rules use each variable?
select variable, count(distinct rule_id) as rules
from rule_conditions
where variable is not null and deleted_at is null
group by variable
order by rules desc, variable;

-- With which constants does each rule compare?
select r.name, c.operator, c.operand as constant
from rule_conditions as c
join rules as r on r.rule_id = c.rule_id
where c.variable is null and c.deleted_at is null and r.deleted_at is null
order by r.name, c.path;
