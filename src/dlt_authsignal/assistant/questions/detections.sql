-- How many attack signals of each kind are there, and of when?
select rule, severity, count(*) as detections, min(first_seen) as earliest, max(last_seen) as latest
from detections
group by rule, severity
order by detections desc, rule, severity;

-- Which attack signals were found in the last week of the data?
select rule, severity, subject_kind, first_seen, last_seen, event_count, evidence, thresholds
from detections
where last_seen > (select max(last_seen) from detections) - interval 7 day
order by last_seen desc, rule
limit 100;

-- Which attack signals was no alert sent for?
select rule, severity, count(*) as detections, max(last_seen) as latest
from detections
where sent_at is null
group by rule, severity
order by latest desc, rule, severity;
