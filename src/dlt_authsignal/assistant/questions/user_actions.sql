-- How did the attempts of each action end?
select action_code, state, count(*) as attempts
from user_actions
group by action_code, state
order by action_code, attempts desc;

-- What share of challenged sign-ins succeeded, by week?
select
    date_trunc('week', created_at) as week,
    count(*) filter (where state = 'CHALLENGE_SUCCEEDED') as succeeded,
    count(*) as challenged,
    round(100.0 * succeeded / challenged, 1) as percent
from user_actions
where action_code = 'signIn' and state in ('CHALLENGE_SUCCEEDED', 'CHALLENGE_FAILED', 'CHALLENGE_REQUIRED')
group by week
order by week;

-- From which countries are attempts blocked?
select country_code, count(*) filter (where state = 'BLOCK') as blocked, count(*) as attempts
from user_actions
group by country_code
having blocked > 0
order by blocked desc;
