-- How many passkeys were there at the end of each day?
select day::date as day, count(distinct h.user_authenticator_id) as passkeys
from (
    select unnest(generate_series(min(valid_from)::date, max(valid_from)::date, interval 1 day)) as day
    from user_authenticators_history
)
left join user_authenticators_history as h
    on h.verification_method = 'PASSKEY' and h.verified_at is not null
    and h.valid_from < day + interval 1 day and (h.valid_to >= day + interval 1 day or h.valid_to is null)
group by day
order by day;

-- Which authenticators were deleted, and how long were they in use?
select user_id, verification_method, verified_at, max(valid_to) as gone_at
from user_authenticators_history
group by user_id, user_authenticator_id, verification_method, verified_at
having count(*) = count(valid_to)
order by gone_at desc;

-- Which authenticators were deleted and then restored?
select user_authenticator_id, count(*) as times
from (
    select user_authenticator_id, valid_from, lag(valid_to) over (
        partition by user_authenticator_id order by valid_from
    ) as ended_before
    from user_authenticators_history
)
where valid_from > ended_before
group by user_authenticator_id;
