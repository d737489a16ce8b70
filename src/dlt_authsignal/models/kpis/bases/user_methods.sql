-- One row per user and time between two changes of the user's methods: how many of each kind, at the ends of those days.
with kinds as (
    select
        h.user_id,
        greatest(h.starts_on, u.starts_on) as starts_on,
        least(h.ends_on, u.ends_on) as ends_on,
        case when h.verification_method = 'PASSKEY' then 1 else 0 end as passkey,
        case when h.verification_method in ('PASSKEY', 'SECURITY_KEY') then 1 else 0 end as resistant,
        case when h.verification_method in ('SMS', 'EMAIL_OTP', 'EMAIL_MAGIC_LINK') then 1 else 0 end as weak
    from held_methods as h
    join user_spells as u on u.user_id = h.user_id and u.starts_on < h.ends_on and h.starts_on < u.ends_on
),
changed as (
    select
        user_id,
        day,
        sum(change) as methods,
        sum(change * passkey) as passkeys,
        sum(change * resistant) as resistants,
        sum(change * weak) as weaks
    from (
        select user_id, starts_on as day, 1 as change, passkey, resistant, weak from kinds
        union all
        select user_id, ends_on as day, -1 as change, passkey, resistant, weak from kinds
    ) as ends
    group by user_id, day
),
counted as (
    select
        user_id,
        day as starts_on,
        coalesce(lead(day) over (partition by user_id order by day), date '9999-12-31') as ends_on,
        sum(methods) over (partition by user_id order by day rows between unbounded preceding and current row) as methods,
        sum(passkeys) over (partition by user_id order by day rows between unbounded preceding and current row) as passkeys,
        sum(resistants) over (
            partition by user_id order by day rows between unbounded preceding and current row
        ) as resistants,
        sum(weaks) over (partition by user_id order by day rows between unbounded preceding and current row) as weaks
    from changed
)
select * from counted where methods > 0
