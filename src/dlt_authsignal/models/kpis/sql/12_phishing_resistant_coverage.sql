select 'passkey or security key' as measure, starts_on, ends_on, 0 as hits, 1 as cases from user_spells
union all
select 'only SMS or e-mail', starts_on, ends_on, 0, 1 from user_spells
union all
select 'passkey or security key', starts_on, ends_on, 1, 0 from user_methods where resistants > 0
union all
select 'only SMS or e-mail', starts_on, ends_on, 1, 0 from user_methods where methods = weaks
