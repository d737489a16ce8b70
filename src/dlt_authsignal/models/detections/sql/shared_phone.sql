with enrolments as ({phones})
select
    phone_number as subject,
    phone_number as first_event,
    min(enrolled_at) as first_seen,
    max(enrolled_at) as last_seen,
    count(*) as event_count,
    count(*) as users,
    count(distinct phone_country) as countries
from (
    select phone_number, user_id, min(enrolled_at) as enrolled_at, min(phone_country) as phone_country
    from enrolments
    group by phone_number, user_id
) as of_users
group by phone_number
having count(*) >= {users}
