-- Passkey usage rate: what share of the successful challenges used a passkey?
-- One row per action code. The usual figure is that of signIn.
select
    action_code as slice,
    count(*) filter (where verification_method = 'PASSKEY') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
where state = 'CHALLENGE_SUCCEEDED'
group by action_code
