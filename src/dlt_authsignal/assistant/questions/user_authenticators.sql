-- How many authenticators of each method are enrolled, and how many were verified?
select verification_method, count(*) as authenticators, count(verified_at) as verified
from user_authenticators
where deleted_at is null
group by verification_method
order by authenticators desc;

-- Which providers store the passkeys, and are they synced between devices?
select
    coalesce(webauthn_credential__aaguid_mapping__name, 'unknown') as provider,
    webauthn_credential__credential_backed_up as synced,
    count(*) as passkeys
from user_authenticators
where verification_method = 'PASSKEY' and verified_at is not null and deleted_at is null
group by provider, synced
order by passkeys desc;

-- Which users have only methods that can be phished?
select user_id, list(distinct verification_method order by verification_method) as methods
from user_authenticators
where verified_at is not null and deleted_at is null
group by user_id
having not bool_or(verification_method in ('PASSKEY', 'SECURITY_KEY'));
