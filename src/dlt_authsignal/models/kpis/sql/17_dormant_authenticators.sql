select 'dormant' as measure, starts_on, ends_on, 0 as hits, 1 as cases, verification_method
from authenticator_spells
where is_read = 1
union all
select
    'dormant',
    case
        when last_verified_at is null then starts_on
        else greatest(starts_on, day_plus(utc_day(last_verified_at), 90))
    end,
    ends_on,
    1,
    0,
    verification_method
from authenticator_spells
where is_read = 1
union all
select 'never used', starts_on, ends_on, 0, 1, verification_method
from authenticator_spells
where is_read = 1
union all
select 'never used', starts_on, ends_on, 1, 0, verification_method
from authenticator_spells
where is_read = 1 and last_verified_at is null
