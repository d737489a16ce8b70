-- Which options does a registration get, and have they changed?
select
    rp_id, user_verification, resident_key, attestation, algorithms::varchar as algorithms,
    min(called_at) as first_seen, max(called_at) as last_seen
from passkey_register_options
where status = 200
group by rp_id, user_verification, resident_key, attestation, algorithms::varchar
order by first_seen;

-- How often do calls fail, and why?
select status, error_code, count(*) as calls
from passkey_register_options
where status is distinct from 200
group by status, error_code
order by calls desc;

-- How long does a call take, by day?
select called_at::date as day, count(*) as calls, round(median(milliseconds)) as median_ms, round(max(milliseconds)) as max_ms
from passkey_register_options
group by day
order by day;
