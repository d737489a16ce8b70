-- When did the tenant's settings change?
select valid_from, valid_to, name, token_duration_in_minutes
from tenant_history
order by valid_from desc;

-- How long were tokens valid at each time?
select valid_from, valid_to, token_duration_in_minutes
from tenant_history
order by valid_from;

-- How many versions of the settings are known?
select tenant_id, count(*) as versions, min(valid_from) as known_since
from tenant_history
group by tenant_id;
