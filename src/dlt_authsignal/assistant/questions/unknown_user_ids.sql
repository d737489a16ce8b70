-- How many ids of each source are unknown to Authsignal?
select id_source, count(*) as ids
from unknown_user_ids
group by id_source;

-- On which lines of the file are the unknown ids?
select position, user_id
from unknown_user_ids
where id_source = 'file'
order by position;

-- Which unknown ids does Authsignal know by now?
select i.user_id, i._read_at as unknown_at, u._read_at as known_at
from unknown_user_ids as i
join users as u on u.user_id = i.user_id
where u._read_at > i._read_at;
