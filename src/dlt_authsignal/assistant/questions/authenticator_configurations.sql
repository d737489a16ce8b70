-- Which verification methods are set up, and which are active?
select verification_method, is_active, is_hidden_to_user
from authenticator_configurations
where deleted_at is null
order by verification_method;

-- Which relying party do passkeys belong to, and is user verification required?
select relying_party, expected_origins, user_verification_requirement
from authenticator_configurations
where verification_method = 'PASSKEY' and deleted_at is null;

-- Which provider sends the codes of each method?
select verification_method, coalesce(sms_provider, email_provider, push_provider, whats_app_provider) as provider
from authenticator_configurations
where deleted_at is null
order by verification_method;
