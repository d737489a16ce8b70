-- Which users existed a week before the last sync and are now deleted?
select user_id, max(valid_to) as gone_at
from users_history
group by user_id
having min(valid_from) <= (select max(_read_at) from users) - interval 7 days
    and count(*) = count(valid_to)
    and max(valid_to) > (select max(_read_at) from users) - interval 7 days
order by gone_at desc;

-- Which users changed most often?
select user_id, count(*) as versions
from users_history
group by user_id
having count(*) > 1
order by versions desc;

-- How many users were deleted each month?
select date_trunc('month', gone_at) as month, count(*) as people
from (
    select user_id, max(valid_to) as gone_at
    from users_history
    group by user_id
    having count(*) = count(valid_to)
)
group by month
order by month;
