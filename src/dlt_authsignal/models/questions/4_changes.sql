-- Which change of the configuration made a difference?
-- Lists only clear differences, whose 95 % interval does not contain zero. The largest comes first.
select
    seen_at,
    configuration,
    object_name,
    action_code,
    measure,
    before_value,
    after_value,
    difference,
    other_changes
from config_change_effects
where is_enough and measure <> 'attempts' and (difference_low > 0 or difference_high < 0)
order by abs(difference) desc, seen_at, object_name, measure
