with figures as (
    select
        'of an unknown type' as measure,
        sum(case when table_name = 'unknown_events' then 1 else 0 end) as hits,
        count(*) as cases
    from every_event
    union all
    select
        'steps of an unknown type',
        sum(case when step = 'unknown' then 1 else 0 end),
        count(*)
    from challenge_steps
    union all
    select 'copies', max(f.records) - max(e.events), max(f.records)
    from (select sum(records) as records from event_files) as f
    cross join (select count(*) as events from every_event) as e
)
select
    'all' as period_grain,
    cast(null as date) as period_start,
    measure,
    'all' as dimension,
    'all' as dimension_value,
    hits as numerator,
    cases as denominator
from figures
