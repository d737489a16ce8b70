-- How did the length of each value list change?
select alias, valid_from, item_count
from value_lists_history
order by alias, valid_from;

-- Which value lists became shorter?
select alias, valid_from, item_count_before, item_count
from (
    select alias, valid_from, item_count,
        lag(item_count) over (partition by alias order by valid_from) as item_count_before
    from value_lists_history
)
where item_count < item_count_before
order by valid_from desc;

-- Which value lists were removed?
select alias, max(valid_to) as gone_at
from value_lists_history
group by alias
having count(*) = count(valid_to)
order by gone_at desc;
