-- When was each verification method switched on or off?
select verification_method, is_active, valid_from
from tenant_authenticators_history
order by valid_from desc, verification_method;

-- Which verification methods were configured a month before the last sync?
select verification_method, is_active, is_editable_by_user
from tenant_authenticators_history
where valid_from <= (select max(_read_at) from tenant_authenticators) - interval 30 days
    and (valid_to > (select max(_read_at) from tenant_authenticators) - interval 30 days or valid_to is null);

-- Which verification methods are no longer configured?
select verification_method, max(valid_to) as gone_at
from tenant_authenticators_history
group by verification_method
having count(*) = count(valid_to)
order by gone_at desc;
