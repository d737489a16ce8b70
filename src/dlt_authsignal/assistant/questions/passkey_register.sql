-- How many registrations succeed, by day?
select called_at::date as day, count(*) as calls, count(*) filter (where is_verified) as registered
from passkey_register
group by day
order by day;

-- Why did calls fail?
select status, error_code, error_description, count(*) as calls
from passkey_register
where is_verified is not true
group by status, error_code, error_description
order by calls desc;

-- Which registered passkeys still exist as authenticators?
select r.called_at, r.user_id, a.verified_at, a.last_verified_at
from passkey_register as r
left join user_authenticators as a on a.user_id = r.user_id and a.verification_method = 'PASSKEY'
    and a.deleted_at is null
where r.is_verified
order by r.called_at;
