-- How do attempts end, by kind of activity?
select activity_name, status, count(*) as attempts
from ocsf_authentication
group by activity_name, status
order by attempts desc, activity_name, status;

-- What share of the attempts was challenged, by day?
select cast(to_timestamp(time / 1000) as date) as day, count(*) as attempts,
    round(100.0 * count(*) filter (where is_mfa) / count(*), 1) as percent_challenged
from ocsf_authentication
group by day
order by day desc
limit 30;

-- Which factors were used?
select auth_factors::json ->> '$[0].factor_type' as factor, count(*) as attempts
from ocsf_authentication
where auth_factors is not null
group by factor
order by attempts desc, factor;
