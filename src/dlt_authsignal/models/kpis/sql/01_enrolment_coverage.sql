select 'users' as measure, starts_on, ends_on, 0 as hits, 1 as cases from user_spells
union all
select 'users', starts_on, ends_on, 1, 0 from user_methods where passkeys > 0
