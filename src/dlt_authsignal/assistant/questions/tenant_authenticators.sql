-- Which verification methods may users use?
select verification_method, is_editable_by_user, is_hidden_to_user
from tenant_authenticators
where is_active and deleted_at is null
order by verification_method;

-- Which active verification methods has no user enrolled?
select t.verification_method
from tenant_authenticators as t
left join user_authenticators as a
    on a.verification_method = t.verification_method and a.deleted_at is null
where t.is_active and t.deleted_at is null
group by t.verification_method
having count(a.user_authenticator_id) = 0
order by t.verification_method;

-- Which users still have a method that is switched off?
select a.user_id, a.verification_method
from user_authenticators as a
join tenant_authenticators as t on t.verification_method = a.verification_method
where not t.is_active and t.deleted_at is null and a.deleted_at is null
order by a.verification_method, a.user_id;
