-- When did the theme change?
select tenant_id, valid_from, valid_to
from theme_history
order by valid_from desc;

-- Which theme was used before the present one?
select theme, valid_from, valid_to
from theme_history
where valid_to is not null
order by valid_to desc
limit 1;

-- How many versions of the theme are known?
select tenant_id, count(*) as versions
from theme_history
group by tenant_id;
