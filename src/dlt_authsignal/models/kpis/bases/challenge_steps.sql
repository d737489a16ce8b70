-- One row per step of a challenge that an event reported, with the kind of step. Types that are not published are unknown.
select
    user_id,
    action_code,
    idempotency_key,
    coalesce(created_at, event_time) as created_at,
    verification_method,
    challenge_type,
    coalesce({phone_country}, 'unknown') as phone_country,
    case
        when challenge_type like 'SMS_%' then 'SMS'
        when challenge_type like 'WHATSAPP_%' then 'WHATSAPP'
        when challenge_type like 'EMAIL_OTP_%' then 'EMAIL_OTP'
        when challenge_type like 'EMAIL_MAGIC_LINK_%' then 'EMAIL_MAGIC_LINK'
        else 'other'
    end as channel,
    case
        when challenge_type like '%_NOT_DELIVERED' or challenge_type like '%_INVALID_OR_EXPIRED'
            or challenge_type like '%_MAX_ATTEMPTS_EXCEEDED' or challenge_type like '%_RATE_LIMIT_EXCEEDED'
            or challenge_type like '%_SEND_DOWNSTREAM_FAILED' or {error_description} is not null then 'error'
        when challenge_type like '%_DELIVERED' then 'delivered'
        when challenge_type like '%_SENT' then 'sent'
        when challenge_type like '%_CODE_VALID' then 'valid'
        else 'unknown'
    end as step
from challenge_log
