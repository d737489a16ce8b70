-- How many users are there, and how many have enrolled?
select count(*) as people, count(*) filter (where is_enrolled) as enrolled
from users
where deleted_at is null;

-- How many users were created each month?
select date_trunc('month', created_at) as month, count(*) as people
from users
where created_at is not null
group by month
order by month;

-- Which users are enrolled, but without a passkey?
select user_id, enrolled_verification_methods
from users
where deleted_at is null and is_enrolled and not list_contains(enrolled_verification_methods::json::varchar[], 'PASSKEY')
order by created_at desc;
