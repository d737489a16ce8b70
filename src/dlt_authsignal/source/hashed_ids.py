"""Users whose ids are stored as hashes: nobody can ask Authsignal about them, so the list alone says who is gone."""

from dataclasses import replace

from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.user_ids import LISTING, Candidate, Roster, candidates


async def confirmed(api: Api, roster: Roster, privacy: Privacy, missing: list[Candidate]) -> list[Candidate]:
    """Of users whom the list no longer names, those who are to be asked about; and of those who cannot be, the ones
    whom a second list leaves out too: the first may have been cut."""
    hashed = {one.user_id for one in missing if not privacy.can_ask(one.user_id)}
    if not hashed:
        return missing
    async for page in candidates(api, replace(roster, sources=(LISTING,))):
        hashed -= {privacy.stored_id(one.user_id) for one in page}
    return [one for one in missing if one.user_id in hashed or privacy.can_ask(one.user_id)]
