"""Random ids of the stories, from a generator that has a seed."""

import random


def random_id(rng: random.Random) -> str:
    """Return a random UUID."""
    bits = rng.getrandbits(128) & ~(0xF000 << 64 | 0xC000 << 48) | 0x4000 << 64 | 0x8000 << 48
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
