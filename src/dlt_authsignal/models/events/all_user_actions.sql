-- One row per attempt that the API or an event reported. See views.py for the parts in braces.
with ranked as (
    select
        *,
        row_number() over (
            partition by user_id, action_code, idempotency_key
            order by state_updated_at desc nulls last, {rank} desc, _read_at desc, event_id desc
        ) as place,
        count(*) over (partition by user_id, action_code, idempotency_key) as events
    from action_log
),
periods as (
    select
        (select min(created_at) from user_actions) as api_from,
        (select min(created_at) from action_log) as events_from,
        (select max(created_at) from action_log) as events_until
),
joined as (
    select
        coalesce(a.user_id, e.user_id) as user_id,
        coalesce(a.action_code, e.action_code) as action_code,
        coalesce(a.idempotency_key, e.idempotency_key) as idempotency_key,
        case when e.event_id is null then 'api' when a.user_id is null then 'event' else 'both' end as seen_by,
        case
            when a.user_id is null then 1
            when e.state_updated_at > a.state_updated_at then 1
            else 0
        end as is_from_event,
        coalesce(e.state_updated_at >= a.state_updated_at, true) as is_event_as_new,
        {values},
        {differences},
        e.event_id as event_id,
        e.event_time as event_time,
        coalesce(e.events, 0) as events,
        a._read_at as api_read_at,
        e._read_at as event_received_at
    from user_actions as a
    full outer join (select * from ranked where place = 1) as e
        on a.user_id = e.user_id and a.action_code = e.action_code and a.idempotency_key = e.idempotency_key
)
select
    j.user_id,
    j.action_code,
    j.idempotency_key,
    {chosen},
    j.seen_by,
    case
        when j.seen_by = 'api' and j.created_at < p.events_from then 'before the first event'
        when j.seen_by = 'api' and j.created_at > p.events_until then 'after the last event'
        when j.seen_by = 'api' then 'api only'
        when j.seen_by = 'event' and j.created_at < p.api_from then 'before the first read'
        when j.seen_by = 'event' and {not_read_since} then 'after the last read'
        when j.seen_by = 'event' then 'event only'
        when j.differs_in = '' then 'equal'
        when j.event_received_at > j.api_read_at and j.is_event_as_new then 'after the last read'
        else 'different'
    end as comparison,
    j.differs_in,
    j.event_id,
    j.event_time,
    j.events,
    j.api_read_at,
    j.event_received_at
from joined as j
cross join periods as p
{reads}
