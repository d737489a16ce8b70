-- Passkey inventory: which providers store the passkeys?
-- One row per passkey provider: its share of all verified passkeys.
with passkeys as (
    select coalesce(webauthn_credential__aaguid_mapping__name, 'unknown') as provider
    from user_authenticators
    where verification_method = 'PASSKEY' and verified_at is not null and deleted_at is null
),
total as (
    select count(*) as passkeys
    from passkeys
)
select p.provider as slice, count(*) as numerator, max(t.passkeys) as denominator, 'ratio' as unit
from passkeys as p
cross join total as t
group by p.provider
