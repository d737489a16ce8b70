-- Dormant authenticators: what share of the verified authenticators was not used for 90 days?
-- One row per verification method. An authenticator is dormant if it was never used after enrolment, or was last used
-- more than 90 days before it was read. Authenticators enrolled within those 90 days are excluded.
select
    verification_method as slice,
    count(*) filter (
        where last_verified_at is null or last_verified_at < _read_at - interval '90' day
    ) as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_authenticators
where deleted_at is null and verified_at is not null and created_at < _read_at - interval '90' day
group by verification_method
