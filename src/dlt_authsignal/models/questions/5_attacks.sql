-- Which users are under attack?
-- One row per user and kind of attack. The rules are simple; your own thresholds may differ.
with pushes as (
    select user_id, min(created_at) as first_seen, count(distinct idempotency_key) as attempts
    from challenge_log
    where verification_method = 'PUSH'
    group by user_id, cast(created_at as date)
),
failures as (
    select user_id, min(created_at) as first_seen, count(*) as attempts
    from all_user_actions
    where state = 'CHALLENGE_FAILED'
    group by user_id, cast(created_at as date)
),
phones as (
    select phone_number, count(distinct user_id) as users
    from user_authenticators
    where phone_number is not null and deleted_at is null
    group by phone_number
),
recoveries as (
    select user_id, state_updated_at as recovered_at
    from all_user_actions
    where verification_method = 'RECOVERY_CODE' and state = 'CHALLENGE_SUCCEEDED'
),
journeys as (
    select
        user_id,
        created_at,
        country_code,
        lag(country_code) over (partition by user_id order by created_at) as country_before,
        lag(created_at) over (partition by user_id order by created_at) as created_before
    from all_user_actions
    where state = 'CHALLENGE_SUCCEEDED' and country_code is not null
)
select 'mfa_fatigue' as attack, user_id, first_seen, attempts as evidence from pushes where attempts >= 5
union all
select 'brute_force', user_id, first_seen, attempts from failures where attempts >= 10
union all
select 'shared_phone', a.user_id, a.created_at, p.users
from user_authenticators as a
join phones as p on p.phone_number = a.phone_number
where a.deleted_at is null and p.users >= 3
union all
select 'factor_after_recovery', r.user_id, min(a.created_at), count(*)
from recoveries as r
join user_authenticators as a on a.user_id = r.user_id
    and date_diff('minute', r.recovered_at, a.created_at) between 0 and 1440
group by r.user_id
union all
select 'impossible_travel', user_id, min(created_at), count(*)
from journeys
where country_code <> country_before and date_diff('minute', created_before, created_at) < 60
group by user_id
order by attack, first_seen, user_id
