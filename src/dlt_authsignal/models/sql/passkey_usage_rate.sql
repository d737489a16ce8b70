-- Passkey usage rate: which share of the successful challenges was met with a passkey?
-- One row per action code. Read signIn for the usual meaning.
select
    action_code as slice,
    count(*) filter (where verification_method = 'PASSKEY') as numerator,
    count(*) as denominator,
    'ratio' as unit
from user_actions
where state = 'CHALLENGE_SUCCEEDED'
group by action_code
