-- What did the SMS attack of week 5 cost, and where did the codes go?
-- One row per country of the phone number. You supply the table otp_prices; the prices in the demo are invented.
with sent as (
    select coalesce(phone_number_country, 'unknown') as phone_country, user_id, action_code, idempotency_key
    from challenge_log
    where challenge_type = 'SMS_SENT' and cast(created_at as date) between date '{first}' and date '{last}'
),
entered as (
    select distinct user_id, action_code, idempotency_key
    from challenge_log
    where challenge_type = 'SMS_CODE_VALID'
),
prices as (
    select coalesce(country_code, 'any') as country_code, max(price) as price
    from otp_prices
    where channel = 'SMS'
    group by coalesce(country_code, 'any')
)
select
    s.phone_country,
    count(*) as codes,
    count(distinct s.user_id) as users,
    count(distinct case when e.user_id is not null then s.idempotency_key end) as attempts_with_a_valid_code,
    round(sum(coalesce(p.price, d.price)), 2) as cost,
    min(s.action_code) as action_code
from sent as s
left join entered as e
    on e.user_id = s.user_id and e.action_code = s.action_code and e.idempotency_key = s.idempotency_key
left join prices as p on p.country_code = s.phone_country
left join prices as d on d.country_code = 'any'
group by s.phone_country
order by codes desc, s.phone_country
