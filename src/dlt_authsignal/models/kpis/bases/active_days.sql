-- One row per user and day with an attempt that was allowed or whose challenge succeeded, and the user's next such day.
select user_id, day, lead(day) over (partition by user_id order by day) as next_day
from (
    select distinct user_id, day
    from attempts
    where state in ('ALLOW', 'CHALLENGE_SUCCEEDED')
) as days
