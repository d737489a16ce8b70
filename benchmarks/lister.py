"""Lists all users and keeps none: what a sync takes when it only asks who there is.

python lister.py BASE_URL SECRET
"""

import asyncio
import sys

import aiohttp
from floor import listing

from dlt_authsignal.api.endpoints import basic_auth


async def count(base: str, secret: str) -> int:
    async with aiohttp.ClientSession(headers={"Authorization": basic_auth(secret)}) as session:
        return sum([1 async for _ in listing(session, base)])


if __name__ == "__main__":
    print(asyncio.run(count(sys.argv[1], sys.argv[2])))
