select 'passkeys' as measure, starts_on, ends_on, 1 as hits, 0 as cases, provider, os, browser, attachment
from authenticator_spells
where verification_method = 'PASSKEY'
union all
select
    'synced',
    starts_on,
    ends_on,
    case when backed_up then 1 else 0 end,
    1,
    provider,
    os,
    browser,
    attachment
from authenticator_spells
where verification_method = 'PASSKEY' and backed_up is not null
