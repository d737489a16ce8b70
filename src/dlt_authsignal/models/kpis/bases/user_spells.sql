-- One row per version of a user: the days at whose end the user existed.
select user_id, starts_on, ends_on
from (
    select
        user_id,
        utc_day(case
            when created_at < valid_from and lag(valid_from) over (partition by user_id order by valid_from) is null
                then created_at
            else valid_from
        end) as starts_on,
        coalesce(utc_day(valid_to), date '9999-12-31') as ends_on
    from users_history
) as versions
where ends_on > starts_on
