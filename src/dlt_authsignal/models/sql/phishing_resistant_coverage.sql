-- Phishing-resistant coverage: what share of users has a passkey or security key?
-- One row: users with at least one verified passkey or security key, divided by all users.
with holders as (
    select distinct user_id
    from user_authenticators
    where verification_method in ('PASSKEY', 'SECURITY_KEY') and verified_at is not null and deleted_at is null
)
select 'all' as slice, count(h.user_id) as numerator, count(*) as denominator, 'ratio' as unit
from users as u
left join holders as h on h.user_id = u.user_id
where u.deleted_at is null
