-- How many authenticators were created and deleted, by week and method?
select date_trunc('week', event_time) as week, verification_method, event_type, count(*) as authenticators
from authenticator_events
group by week, verification_method, event_type
order by week, authenticators desc;

-- How soon was a new authenticator in user_authenticators?
select
    e.verification_method,
    count(*) as created,
    count(a.user_authenticator_id) as loaded,
    median(date_diff('second', e._read_at, a._read_at)) as seconds_between_event_and_read
from authenticator_events as e
left join user_authenticators as a using (user_authenticator_id)
where e.event_type = 'authenticator.created'
group by e.verification_method
order by created desc;

-- Which users added more than one authenticator?
select user_id, count(distinct user_authenticator_id) as added, min(event_time) as first_at, max(event_time) as last_at
from authenticator_events
where event_type = 'authenticator.created'
group by user_id
having added > 1
order by added desc;
