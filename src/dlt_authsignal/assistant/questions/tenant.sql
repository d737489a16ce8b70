-- How long are short-lived tokens valid?
select name, coalesce(token_duration_in_minutes, 10) as minutes
from tenant
where deleted_at is null;

-- May users disable MFA or delete their authenticators?
select name, allow_disabling_mfa, allow_deleting_user_authenticators
from tenant
where deleted_at is null;

-- When were the tenant's settings last read?
select tenant_id, name, _read_at
from tenant;
