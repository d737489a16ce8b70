-- Time to authenticate: what is the median time of a successful challenge, by method?
-- One row per verification method. The numerator is the median in seconds and the denominator is 1.
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
