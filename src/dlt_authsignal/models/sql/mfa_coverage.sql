-- MFA coverage: what share of users has one verified method, and what share has two, as needed for recovery?
-- Two rows: users with at least one verified method, and users with at least two different verified methods.
with methods as (
    select u.user_id, count(distinct a.verification_method) as verified
    from users as u
    left join user_authenticators as a
        on a.user_id = u.user_id and a.verified_at is not null and a.deleted_at is null
    where u.deleted_at is null
    group by u.user_id
)
select 'one or more' as slice, count(*) filter (where verified >= 1) as numerator, count(*) as denominator, 'ratio' as unit
from methods
union all
select 'two or more', count(*) filter (where verified >= 2), count(*), 'ratio'
from methods
