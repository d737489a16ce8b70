-- How many attempts does each source have, and do they agree?
select seen_by, comparison, count(*) as attempts, min(created_at) as first_at, max(created_at) as last_at
from all_user_actions
group by seen_by, comparison
order by attempts desc;

-- In which columns do API and events differ?
select differs_in, state, count(*) as attempts
from all_user_actions
where comparison = 'different'
group by differs_in, state
order by attempts desc;

-- How did attempts end, by day, from both sources?
select date_trunc('day', created_at) as day, action_code, state, count(*) as attempts
from all_user_actions
group by day, action_code, state
order by day, action_code, attempts desc;
