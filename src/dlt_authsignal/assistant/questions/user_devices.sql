-- How many devices do users have?
select devices, count(*) as people
from (select user_id, count(*) as devices from user_devices where deleted_at is null group by user_id)
group by devices
order by devices;

-- How many devices were trusted at the last sync, and how many were invalidated?
select
    count(*) filter (where remembered_until > _read_at and invalidated_at is null) as trusted,
    count(*) filter (where invalidated_at is not null) as shut_out,
    count(*) as devices
from user_devices
where deleted_at is null;

-- How many devices last used each verification method?
select last_verification_method, count(*) as devices
from user_devices
where deleted_at is null
group by last_verification_method
order by devices desc;
