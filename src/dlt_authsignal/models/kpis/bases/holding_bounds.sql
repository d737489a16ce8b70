-- One row: the first and the last day for which it is known which methods users had. Events of authenticators report
-- deletions, so that with them the days before the first read are known, too.
select least(b.first_day, coalesce(r.first_day, b.first_day)) as first_day, b.last_day, b.until_day
from user_bounds as b
cross join ({reported_from}) as r
