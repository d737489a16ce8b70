-- Which theme do the pre-built pages use?
select theme
from theme
where deleted_at is null;

-- Has the theme been set at all?
select tenant_id, theme::varchar <> '{}' as is_set
from theme
where deleted_at is null;

-- When was the theme last read?
select tenant_id, _read_at
from theme;
