-- One row: the first and the last day on which users were read.
select min(utc_day(valid_from)) as first_day, max(last_day) as last_day, max(last_day) as until_day
from users_history
cross join (select max(utc_day(_read_at)) as last_day from users) as reads
