-- Which custom data points are there?
select model_type, name, data_type, description
from custom_data_points
where deleted_at is null
order by model_type, name;

-- Which custom data points does no rule use?
select d.name
from custom_data_points as d
left join rule_conditions as c
    on c.variable = 'custom.' || d.name and c.deleted_at is null
where d.deleted_at is null and c.rule_id is null
order by d.name;

-- Which custom data points are visible to users?
select name, model_type
from custom_data_points
where is_public and deleted_at is null
order by name;
