-- Which options does a sign-in with a passkey get, and have they changed?
select rp_id, user_verification, timeout_ms, min(called_at) as first_seen, max(called_at) as last_seen
from passkey_authentication_options
where status = 200
group by rp_id, user_verification, timeout_ms
order by first_seen;

-- Do sign-in and MFA get the same options?
select authenticated_with, rp_id, user_verification, timeout_ms, count(*) as calls
from passkey_authentication_options
where status = 200
group by authenticated_with, rp_id, user_verification, timeout_ms
order by authenticated_with;

-- How long does a call take, by day?
select called_at::date as day, count(*) as calls, round(median(milliseconds)) as median_ms, round(max(milliseconds)) as max_ms
from passkey_authentication_options
group by day
order by day;
