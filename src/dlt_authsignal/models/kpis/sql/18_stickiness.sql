with firsts as (
    select f.user_id, f.created_at, f.day, f.provider, f.os
    from (
        select
            user_id,
            created_at,
            utc_day(created_at) as day,
            provider,
            os,
            row_number() over (partition by user_id order by created_at, user_authenticator_id, starts_on) as place
        from authenticator_spells
        where verification_method = 'PASSKEY'
    ) as f
    where f.place = 1
),
uses as (
    select f.user_id, min(date_diff('millisecond', f.created_at, a.created_at)) as after
    from firsts as f
    join attempts as a on a.user_id = f.user_id and a.created_at > f.created_at
    where a.method = 'PASSKEY' and a.state = 'CHALLENGE_SUCCEEDED'
    group by f.user_id
)
select
    d.measure,
    f.day,
    case when u.after / 86400000.0 <= d.days then 1 else 0 end as hit,
    f.provider,
    f.os
from firsts as f
left join uses as u on u.user_id = f.user_id
cross join (select '30 days' as measure, 30 as days union all select '90 days', 90) as d
cross join attempt_bounds as b
where f.day >= b.complete_from and day_plus(f.day, d.days) < b.until_day
