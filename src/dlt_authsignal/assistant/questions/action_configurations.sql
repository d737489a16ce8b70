-- What happens to each action if no rule matches?
select action_code, default_user_action_result
from action_configurations
where deleted_at is null
order by action_code;

-- Which action codes are configured, but have no attempts?
select c.action_code
from action_configurations as c
left join user_actions as a on a.action_code = c.action_code
where c.deleted_at is null
group by c.action_code
having count(a.idempotency_key) = 0
order by c.action_code;

-- Which verification methods does each action offer?
select action_code, coalesce(verification_methods::varchar, 'all of the tenant') as methods
from action_configurations
where deleted_at is null
order by action_code;
