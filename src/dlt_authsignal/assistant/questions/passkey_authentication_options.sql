-- What does a passkey have to sign for, and has that changed?
select rp_id, user_verification, timeout_ms, min(called_at) as first_seen, max(called_at) as last_seen
from passkey_authentication_options
where status = 200
group by rp_id, user_verification, timeout_ms
order by first_seen;

-- Is a sign-in, where nobody is known yet, asked for the same as MFA?
select authenticated_with, rp_id, user_verification, timeout_ms, count(*) as calls
from passkey_authentication_options
where status = 200
group by authenticated_with, rp_id, user_verification, timeout_ms
order by authenticated_with;

-- How long does it take, by day?
select called_at::date as day, count(*) as calls, round(median(milliseconds)) as median_ms, round(max(milliseconds)) as max_ms
from passkey_authentication_options
group by day
order by day;
