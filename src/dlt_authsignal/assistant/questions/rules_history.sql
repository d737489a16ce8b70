-- When was each rule changed?
select name, action_code, valid_from, valid_to, is_active, priority, type
from rules_history
order by valid_from desc, name;

-- Which rules were active a week before the last read?
select action_code, priority, name, type
from rules_history
where is_active
    and valid_from <= (select max(_read_at) from rules) - interval 7 days
    and (valid_to > (select max(_read_at) from rules) - interval 7 days or valid_to is null)
order by action_code, priority;

-- Which rules were removed?
select rule_id, max(name) as name, max(valid_to) as gone_at
from rules_history
group by rule_id
having count(*) = count(valid_to)
order by gone_at desc;
