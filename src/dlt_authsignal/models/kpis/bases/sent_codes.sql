-- One row per sent code, with its price: of the phone number's country, or of all others.
with prices as (
    select channel, coalesce(cast(country_code as varchar), 'any') as country_code, max(price) as price
    from otp_prices
    group by channel, coalesce(cast(country_code as varchar), 'any')
)
select
    s.user_id,
    s.action_code,
    s.idempotency_key,
    s.created_at,
    s.channel,
    coalesce(p.price, d.price) as price
from challenge_steps as s
left join prices as p on p.channel = s.channel and p.country_code = s.phone_country
left join prices as d on d.channel = s.channel and d.country_code = 'any'
where s.step = 'sent' and s.channel in ('SMS', 'WHATSAPP', 'EMAIL_OTP')
