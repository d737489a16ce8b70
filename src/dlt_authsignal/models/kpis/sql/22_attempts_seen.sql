select 'attempts' as measure, utc_day(created_at) as day, 1 as hit, comparison
from all_user_actions
