-- When was each verification method switched on or off?
select verification_method, is_active, valid_from
from authenticator_configurations_history
order by valid_from desc, verification_method;

-- When did the settings of passkeys change?
select valid_from, valid_to, relying_party, user_verification_requirement
from authenticator_configurations_history
where verification_method = 'PASSKEY'
order by valid_from desc;

-- Which verification methods are no longer set up?
select verification_method, max(valid_to) as gone_at
from authenticator_configurations_history
group by verification_method
having count(*) = count(valid_to)
order by gone_at desc;
