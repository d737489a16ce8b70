-- How many items of each value list are loaded?
select alias, count(*) as items
from value_list_items
where deleted_at is null
group by alias
order by alias;

-- Which items are in more than one value list?
select item, count(distinct alias) as lists
from value_list_items
where deleted_at is null
group by item
having count(distinct alias) > 1;

-- Which users are in a value list by their e-mail address?
select u.user_id, i.alias
from value_list_items as i
join users as u on u.email = i.item
where i.deleted_at is null and u.deleted_at is null
order by i.alias, u.user_id;
