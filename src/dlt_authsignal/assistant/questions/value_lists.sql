-- Which value lists are there, and how long are they?
select alias, name, item_type, item_count, is_active
from value_lists
where deleted_at is null
order by alias;

-- Which rules use each value list?
select v.alias, r.name as rule
from value_lists as v
join rule_conditions as c on contains(c.variable, v.alias) and c.deleted_at is null
join rules as r on r.rule_id = c.rule_id
where v.deleted_at is null
order by v.alias, r.name;

-- Which value lists are empty or switched off?
select alias, item_count, is_active
from value_lists
where deleted_at is null and (item_count = 0 or not is_active)
order by alias;
