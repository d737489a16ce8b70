-- When was each custom data point added or changed?
select name, data_type, valid_from, valid_to
from custom_data_points_history
order by valid_from desc, name;

-- Which custom data points were removed?
select id, max(name) as name, max(valid_to) as gone_at
from custom_data_points_history
group by id
having count(*) = count(valid_to)
order by gone_at desc;

-- How many custom data points were there at the first read?
select count(*) as data_points
from custom_data_points_history
where valid_from = (select min(valid_from) from custom_data_points_history);
