-- Phishing-resistant coverage: which share of the known users has a passkey or security key?
-- One row.
select
    'all' as slice,
    count(*) filter (where exists (
        select 1
        from user_authenticators as a
        where a.user_id = u.user_id
            and a.verification_method in ('PASSKEY', 'SECURITY_KEY')
            and a.verified_at is not null
    )) as numerator,
    count(*) as denominator,
    'ratio' as unit
from users as u
