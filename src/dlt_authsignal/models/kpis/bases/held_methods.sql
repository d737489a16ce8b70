-- One row per user, verification method and time in which the user had it: the days at whose end it existed.
with changed as (
    select user_id, verification_method, day, sum(change) as change
    from (
        select user_id, verification_method, starts_on as day, 1 as change from authenticator_spells
        union all
        select user_id, verification_method, ends_on as day, -1 as change from authenticator_spells
    ) as ends
    group by user_id, verification_method, day
),
counted as (
    select
        user_id,
        verification_method,
        day,
        sum(change) over (
            partition by user_id, verification_method order by day rows between unbounded preceding and current row
        ) as authenticators,
        lead(day) over (partition by user_id, verification_method order by day) as next_day
    from changed
)
select user_id, verification_method, day as starts_on, next_day as ends_on
from counted
where authenticators > 0
