-- One row per attempt. views.py fills in the parts in braces.
select
    3002 as class_uid,
    'Authentication' as class_name,
    3 as category_uid,
    'Identity & Access Management' as category_name,
    case when a.action_code in ({sign_in_actions}) then 1 else 99 end as activity_id,
    case when a.action_code in ({sign_in_actions}) then 'Logon' else a.action_code end as activity_name,
    case when a.action_code in ({sign_in_actions}) then 300201 else 300299 end as type_uid,
    unix_ms(a.created_at) as time,
    case
        when a.state in ('ALLOW', 'CHALLENGE_SUCCEEDED', 'REVIEW_SUCCEEDED') then 1
        when a.state in ('BLOCK', 'CHALLENGE_FAILED', 'REVIEW_FAILED') then 2
        else 99
    end as status_id,
    case
        when a.state in ('ALLOW', 'CHALLENGE_SUCCEEDED', 'REVIEW_SUCCEEDED') then 'Success'
        when a.state in ('BLOCK', 'CHALLENGE_FAILED', 'REVIEW_FAILED') then 'Failure'
        else coalesce(a.state, 'unknown')
    end as status,
    case when a.state in ('BLOCK', 'CHALLENGE_FAILED', 'REVIEW_FAILED') then 2 else 1 end as severity_id,
    case when a.is_challenged = 1 then 'true' else 'false' end as is_mfa_text,
    case a.method
        when 'SMS' then 1
        when 'PUSH' then 5
        when 'AUTHENTICATOR_APP' then 7
        when 'EMAIL_OTP' then 8
        when 'EMAIL_MAGIC_LINK' then 8
        when 'SECURITY_KEY' then 9
        when 'PASSKEY' then 10
        else 99
    end as factor_type_id,
    case a.method
        when 'SMS' then 'SMS'
        when 'PUSH' then 'Push Notification'
        when 'AUTHENTICATOR_APP' then 'OTP'
        when 'EMAIL_OTP' then 'Email'
        when 'EMAIL_MAGIC_LINK' then 'Email'
        when 'SECURITY_KEY' then 'U2F'
        when 'PASSKEY' then 'WebAuthn'
        else a.method
    end as factor_type,
    a.user_id,
    a.action_code,
    a.idempotency_key,
    a.state,
    a.method,
    a.outcome,
    nullif(a.country_code, 'unknown') as country_code,
    case when a.ip_address like '%.%' or a.ip_address like '%:%' then a.ip_address end as ip,
    case when a.ip_address like '%.%' or a.ip_address like '%:%' then null else a.ip_address end as ip_hash,
    {is_synced} as is_synced,
    {provider} as provider
from attempts as a
{passkeys}
