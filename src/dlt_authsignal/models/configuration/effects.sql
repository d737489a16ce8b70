-- Effect of a configuration change: what differs between the time before it and the time after it?
-- One row per change, action code and measure. A change lies between two reads of the configuration: the window before
-- ends with the read that did not show it, and the window after begins with the first read that did. Both windows are
-- equally long, at most {days} days, and lie within the loaded attempts. The interval is Newcombe's 95 % interval of a
-- difference of two shares; for the number of attempts, the normal interval of a difference of two rates. The share that
-- a rule decided is known only for attempts that are in the opt-in table action_details.
with changed as (
    select configuration, object, min(object_name) as object_name, min(action_code) as action_code, seen_before, seen_at
    from config_changes
    group by configuration, object, seen_before, seen_at
),
codes as (select distinct action_code from user_actions),
concerned as (
    select c.configuration, c.object, c.object_name, c.seen_before, c.seen_at, c.action_code
    from changed as c
    where c.configuration in ('rules', 'action_configurations')
    union all
    select c.configuration, c.object, c.object_name, c.seen_before, c.seen_at, codes.action_code
    from changed as c
    cross join codes
    where c.configuration in ('authenticator_configurations', 'tenant')
    union all
    select distinct c.configuration, c.object, c.object_name, c.seen_before, c.seen_at, r.action_code
    from changed as c
    join rule_conditions as r
        on c.configuration = 'value_lists' and strpos(r.operand, c.object) > 0
        or c.configuration = 'custom_data_points' and r.variable = concat('custom.', c.object_name)
    where r.deleted_at is null or r.deleted_at > c.seen_at
),
bounds as (select min(created_at) as data_from, max(created_at) as data_until from user_actions),
windows as (
    select c.*, case when c.seen_before is not null and b.data_from is not null then least(
        {days} * cast(86400000 as bigint),
        date_diff('millisecond', b.data_from, c.seen_before),
        date_diff('millisecond', c.seen_at, b.data_until)
    ) end as length
    from concerned as c
    cross join bounds as b
),
shared as (
    select w.configuration, w.object, w.seen_at, w.action_code, w.object_name, w.seen_before, w.length,
        count(distinct concat(o.configuration, ' ', o.object, ' ', cast(o.seen_at as text))) - 1 as other_changes
    from windows as w
    join windows as o on o.action_code = w.action_code
        and date_diff('millisecond', o.seen_at, w.seen_before) <= w.length
        and date_diff('millisecond', w.seen_at, o.seen_at) <= w.length
    group by w.configuration, w.object, w.seen_at, w.action_code, w.object_name, w.seen_before, w.length
),
attempts as (
    select a.action_code, a.created_at, a.state, {rule} as rule, {has_detail} as detailed,
        case when a.state like 'CHALLENGE%' and a.created_at <= a._read_at - interval '10' minute
            then 1 else 0 end as settled
    from user_actions as a{join}
),
matched as (
    select s.configuration, s.object, s.object_name, s.seen_before, s.seen_at, s.action_code, s.length,
        s.other_changes, a.state, coalesce(a.settled, 0) as settled, coalesce(a.detailed, 0) as detailed,
        case when a.rule = s.object then 1 else 0 end as is_decided,
        case when a.created_at < s.seen_before
            and date_diff('millisecond', a.created_at, s.seen_before) <= s.length then 1 else 0 end as is_before,
        case when a.created_at >= s.seen_at
            and date_diff('millisecond', s.seen_at, a.created_at) < s.length then 1 else 0 end as is_after
    from shared as s
    left join attempts as a on a.action_code = s.action_code and s.length > 0
),
counted as (
    select configuration, object, object_name, seen_before, seen_at, action_code, length, other_changes,
        sum(is_before) as attempts_before,
        sum(is_after) as attempts_after,
        sum(case when state like 'CHALLENGE%' then is_before else 0 end) as challenged_before,
        sum(case when state like 'CHALLENGE%' then is_after else 0 end) as challenged_after,
        sum(case when state = 'BLOCK' then is_before else 0 end) as blocked_before,
        sum(case when state = 'BLOCK' then is_after else 0 end) as blocked_after,
        sum(settled * is_before) as settled_before,
        sum(settled * is_after) as settled_after,
        sum(case when state = 'CHALLENGE_SUCCEEDED' then settled * is_before else 0 end) as succeeded_before,
        sum(case when state = 'CHALLENGE_SUCCEEDED' then settled * is_after else 0 end) as succeeded_after,
        sum(case when state = 'CHALLENGE_REQUIRED' then settled * is_before else 0 end) as dropped_before,
        sum(case when state = 'CHALLENGE_REQUIRED' then settled * is_after else 0 end) as dropped_after,
        sum(detailed * is_before) as detailed_before,
        sum(detailed * is_after) as detailed_after,
        sum(is_decided * is_before) as decided_before,
        sum(is_decided * is_after) as decided_after
    from matched
    group by configuration, object, object_name, seen_before, seen_at, action_code, length, other_changes
),
measured as (
    select configuration, object, object_name, seen_before, seen_at, action_code, other_changes,
        case when length > 0 then length / 86400000.0 end as window_days,
        measure,
        case measure when 'attempts' then attempts_before when 'challenge_rate' then challenged_before
            when 'block_rate' then blocked_before when 'decided_rate' then decided_before
            when 'success_rate' then succeeded_before else dropped_before end as before_numerator,
        case measure when 'attempts' then length / 86400000.0 when 'challenge_rate' then attempts_before
            when 'block_rate' then attempts_before when 'decided_rate' then detailed_before
            else settled_before end as before_denominator,
        case measure when 'attempts' then attempts_after when 'challenge_rate' then challenged_after
            when 'block_rate' then blocked_after when 'decided_rate' then decided_after
            when 'success_rate' then succeeded_after else dropped_after end as after_numerator,
        case measure when 'attempts' then length / 86400000.0 when 'challenge_rate' then attempts_after
            when 'block_rate' then attempts_after when 'decided_rate' then detailed_after
            else settled_after end as after_denominator,
        case measure when 'attempts' then attempts_before + attempts_after
            when 'challenge_rate' then least(attempts_before, attempts_after)
            when 'block_rate' then least(attempts_before, attempts_after)
            when 'decided_rate' then least(detailed_before, detailed_after)
            else least(settled_before, settled_after) end as cases
    from counted
    cross join (
        select 'attempts' as measure union all select 'challenge_rate' union all select 'block_rate'
        union all select 'success_rate' union all select 'drop_off_rate' union all select 'decided_rate'
    ) as measures
    where measure <> 'decided_rate' or configuration = 'rules' and detailed_before + detailed_after > 0
),
compared as (
    select *,
        cast(before_numerator as double precision) / nullif(before_denominator, 0) as before_value,
        cast(after_numerator as double precision) / nullif(after_denominator, 0) as after_value
    from measured
    where window_days is not null
),
bounded as (
    select *,
        (2 * before_numerator + 3.8414588206941254
            - 1.959963984540054 * sqrt(3.8414588206941254 + 4 * before_numerator * (1 - least(before_value, 1))))
            / (2 * (before_denominator + 3.8414588206941254)) as before_low,
        (2 * before_numerator + 3.8414588206941254
            + 1.959963984540054 * sqrt(3.8414588206941254 + 4 * before_numerator * (1 - least(before_value, 1))))
            / (2 * (before_denominator + 3.8414588206941254)) as before_high,
        (2 * after_numerator + 3.8414588206941254
            - 1.959963984540054 * sqrt(3.8414588206941254 + 4 * after_numerator * (1 - least(after_value, 1))))
            / (2 * (after_denominator + 3.8414588206941254)) as after_low,
        (2 * after_numerator + 3.8414588206941254
            + 1.959963984540054 * sqrt(3.8414588206941254 + 4 * after_numerator * (1 - least(after_value, 1))))
            / (2 * (after_denominator + 3.8414588206941254)) as after_high
    from compared
)
select configuration, object, object_name, seen_before, seen_at, action_code, window_days, other_changes, measure,
    before_numerator, before_denominator, after_numerator, after_denominator, before_value, after_value,
    after_value - before_value as difference,
    case measure when 'attempts' then after_value - before_value
        - 1.959963984540054 * sqrt(before_numerator + after_numerator) / window_days
        else after_value - before_value
        - sqrt((after_value - after_low) * (after_value - after_low)
            + (before_high - before_value) * (before_high - before_value)) end as difference_low,
    case measure when 'attempts' then after_value - before_value
        + 1.959963984540054 * sqrt(before_numerator + after_numerator) / window_days
        else after_value - before_value
        + sqrt((after_high - after_value) * (after_high - after_value)
            + (before_value - before_low) * (before_value - before_low)) end as difference_high,
    case when cases >= 30 then 1 else 0 end as is_enough
from bounded
