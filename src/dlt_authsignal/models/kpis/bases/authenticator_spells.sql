-- One row per version of a verified authenticator: the days at whose end it existed.
-- It begins on the day of the verification, and ends on the day on which the deletion was reported or noticed.
-- With events, also the authenticators that were deleted before a read returned them: is_read is 0. Assumed: they were
-- verified when they were created.
with versions as (
    select
        *,
        lag(valid_to) over (partition by user_authenticator_id order by valid_from) as valid_to_before,
        lag(verified_at) over (partition by user_authenticator_id order by valid_from) as verified_at_before,
        lag(valid_from) over (partition by user_authenticator_id order by valid_from) as valid_from_before
    from user_authenticators_history
),
bounded as (
    select
        v.*,
        utc_day(case
            when v.verified_at < v.valid_from and v.verified_at_before is null
                and (v.valid_from_before is null or v.valid_to_before = v.valid_from) then v.verified_at
            else v.valid_from
        end) as starts_on,
        least(coalesce(utc_day(v.valid_to), date '9999-12-31'), {deleted_on}) as ends_on
    from versions as v{deletions}
    where v.verified_at is not null
)
select
    user_authenticator_id,
    user_id,
    verification_method,
    created_at,
    verified_at,
    last_verified_at,
    coalesce({provider}, 'unknown') as provider,
    coalesce({authenticator_os}, 'unknown') as os,
    coalesce({authenticator_browser}, 'unknown') as browser,
    coalesce({attachment}, 'unknown') as attachment,
    coalesce({device}, user_authenticator_id) as device,
    {backed_up} as backed_up,
    starts_on,
    ends_on,
    1 as is_read
from bounded
where ends_on > starts_on{never_read}
