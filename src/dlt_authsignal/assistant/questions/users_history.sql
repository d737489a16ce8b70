-- Who was there a week before the last sync, and is not there now?
select user_id, valid_to as gone_at
from users_history as then
where valid_from <= (select max(_read_at) from users) - interval 7 days
    and valid_to > (select max(_read_at) from users) - interval 7 days
    and not exists (select 1 from users_history as now where now.user_id = then.user_id and now.valid_to is null)
order by gone_at desc;

-- Whose attributes changed most often?
select user_id, count(*) as versions
from users_history
group by user_id
having count(*) > 1
order by versions desc;

-- How many people have gone, month by month?
select date_trunc('month', deleted_at) as month, count(*) as people
from users
where deleted_at is not null
group by month
order by month;
