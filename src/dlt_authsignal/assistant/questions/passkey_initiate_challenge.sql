-- How often is a challenge started successfully?
select status, error_code, count(*) as calls
from passkey_initiate_challenge
group by status, error_code
order by calls desc;

-- How long does a call take, by day?
select called_at::date as day, count(*) as calls, round(median(milliseconds)) as median_ms, round(max(milliseconds)) as max_ms
from passkey_initiate_challenge
group by day
order by day;

-- For which actions were challenges started?
select action, authenticated_with, count(*) as calls
from passkey_initiate_challenge
group by action, authenticated_with
order by calls desc;
