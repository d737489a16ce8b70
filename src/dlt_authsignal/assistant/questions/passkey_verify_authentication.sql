-- How many sign-ins with a passkey succeed, by day?
select called_at::date as day, authenticated_with, count(*) as calls, count(*) filter (where is_verified) as verified
from passkey_verify_authentication
group by day, authenticated_with
order by day, authenticated_with;

-- Why did calls fail?
select status, error_code, error_description, count(*) as calls
from passkey_verify_authentication
where is_verified is not true
group by status, error_code, error_description
order by calls desc;

-- How long does a verification take?
select authenticated_with, round(median(milliseconds)) as median_ms, round(max(milliseconds)) as max_ms
from passkey_verify_authentication
group by authenticated_with;
