-- Time to authenticate: how long does the middle one of all successful challenges take, by method?
-- One row per method: numerator the median seconds, denominator 1, so that value is the median.
select
    verification_method as slice,
    percentile_cont(0.5) within group (
        order by date_diff('millisecond', created_at, state_updated_at) / 1000.0
    ) as numerator,
    1 as denominator,
    'seconds' as unit
from user_actions
where state = 'CHALLENGE_SUCCEEDED' and verification_method is not null
group by verification_method
