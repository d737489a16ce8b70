with sent as (
    select
        user_id,
        action_code,
        idempotency_key,
        channel,
        min(case when step = 'sent' then created_at end) as sent_at,
        min(phone_country) as phone_country,
        max(case when step = 'delivered' then 1 else 0 end) as delivered,
        max(case when step = 'delivered' or challenge_type = 'SMS_NOT_DELIVERED' then 1 else 0 end) as is_known,
        max(case when step = 'valid' then 1 else 0 end) as entered
    from challenge_steps
    where channel in ('SMS', 'WHATSAPP', 'EMAIL_OTP')
    group by user_id, action_code, idempotency_key, channel
)
select
    m.measure,
    utc_day(s.sent_at) as day,
    case when m.measure = 'delivered' then s.delivered else s.entered end as hit,
    s.channel,
    s.action_code,
    coalesce(a.country_code, 'unknown') as country_code,
    s.phone_country
from sent as s
left join attempts as a
    on a.user_id = s.user_id and a.action_code = s.action_code and a.idempotency_key = s.idempotency_key
join (select 'entered' as measure union all select 'delivered') as m on m.measure = 'entered' or s.is_known = 1
where s.sent_at is not null
