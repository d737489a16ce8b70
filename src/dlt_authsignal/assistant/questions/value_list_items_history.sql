-- When were items added to each value list?
select alias, valid_from, count(*) as items
from value_list_items_history
group by alias, valid_from
order by valid_from desc, alias;

-- When were items removed from each value list?
select alias, valid_to as removed_at, count(*) as items
from value_list_items_history
where valid_to is not null
group by alias, valid_to
order by removed_at desc, alias;

-- How many items had each value list a week before the last read?
select alias, count(*) as items
from value_list_items_history
where valid_from <= (select max(_read_at) from value_list_items) - interval 7 days
    and (valid_to > (select max(_read_at) from value_list_items) - interval 7 days or valid_to is null)
group by alias
order by alias;
