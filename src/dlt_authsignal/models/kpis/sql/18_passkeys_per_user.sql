with holders as (
    select user_id, starts_on, ends_on from held_methods where verification_method = 'PASSKEY'
),
changed as (
    select user_id, device, day, sum(change) as change
    from (
        select user_id, device, starts_on as day, 1 as change
        from authenticator_spells
        where verification_method = 'PASSKEY'
        union all
        select user_id, device, ends_on as day, -1 as change
        from authenticator_spells
        where verification_method = 'PASSKEY'
    ) as ends
    group by user_id, device, day
),
counted as (
    select
        user_id,
        device,
        day,
        sum(change) over (
            partition by user_id, device order by day rows between unbounded preceding and current row
        ) as passkeys,
        lead(day) over (partition by user_id, device order by day) as next_day
    from changed
),
devices as (
    select user_id, day, sum(change) as change
    from (
        select user_id, day, 1 as change from counted where passkeys > 0
        union all
        select user_id, next_day, -1 from counted where passkeys > 0
    ) as ends
    group by user_id, day
),
states as (
    select
        user_id,
        day as starts_on,
        coalesce(lead(day) over (partition by user_id order by day), date '9999-12-31') as ends_on,
        sum(change) over (partition by user_id order by day rows between unbounded preceding and current row) as devices
    from devices
)
select 'passkeys' as measure, starts_on, ends_on, 0 as hits, 1 as cases from holders
union all
select 'passkeys', starts_on, ends_on, 1, 0 from authenticator_spells where verification_method = 'PASSKEY'
union all
select 'second device', starts_on, ends_on, 0, 1 from holders
union all
select 'second device', starts_on, ends_on, 1, 0 from states where devices >= 2
