-- Which types of events are not known to this version?
select event_type, count(*) as events, min(event_time) as first_at, max(event_time) as last_at
from unknown_events
group by event_type
order by events desc;

-- How many events of unknown types concern a user?
select event_type, count(*) as events, count(user_id) as with_user, count(distinct user_id) as users
from unknown_events
group by event_type
order by event_type;

-- When did the check of `doctor --events` last arrive?
select max(_read_at) as received_at, count(*) as checks
from unknown_events
where event_type = 'dlt_authsignal.doctor';
