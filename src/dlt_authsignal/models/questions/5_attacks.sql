-- Which users are under attack?
-- One row per detection and user. Run `dlt-authsignal alerts` first. A shared phone has one row for each of its users.
select
    d.rule,
    coalesce(a.user_id, d.subject) as user_id,
    d.first_seen,
    d.last_seen,
    d.event_count
from detections as d
left join (
    select distinct user_id, phone_number from user_authenticators where deleted_at is null
) as a on d.subject_kind = 'phone_number' and a.phone_number = d.subject
where d.subject_kind in ('user_id', 'phone_number')
order by d.rule, d.first_seen, user_id
