select 'one or more' as measure, starts_on, ends_on, 0 as hits, 1 as cases from user_spells
union all
select 'two or more', starts_on, ends_on, 0, 1 from user_spells
union all
select 'one or more', starts_on, ends_on, 1, 0 from user_methods
union all
select 'two or more', starts_on, ends_on, 1, 0 from user_methods where methods >= 2
