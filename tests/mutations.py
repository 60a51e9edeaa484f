"""Damage to a PDF as transport, bad software and malice do it; the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

NUMBER = re.compile(rb"(?<=[ \[])-?\d+(?:\.\d+)?(?=[ \]/>\n])")
TOKEN = re.compile(rb"/?[A-Za-z0-9.+-]+")
NUMBERS = (b"0", b"-1", b"1e9", b"0.00001", b"65536", b"2147483647", b"4294967296", b"9" * 18)


def mutant(document: bytes, seed: int) -> bytes:
    """`document` with one to four damages."""
    rng = random.Random(seed)
    for mutation in rng.choices(MUTATIONS, k=rng.randint(1, 4)):
        document = mutation(document, rng)
    return document


def flip_bits(document: bytes, rng: random.Random) -> bytes:
    out = bytearray(document)
    for _ in range(rng.randint(1, 30) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncate(document: bytes, rng: random.Random) -> bytes:
    return document[: rng.randint(0, len(document))]


def delete_chunk(document: bytes, rng: random.Random) -> bytes:
    start, end = _chunk(document, rng)
    return document[:start] + document[end:]


def duplicate_chunk(document: bytes, rng: random.Random) -> bytes:
    start, end = _chunk(document, rng)
    place = rng.randint(0, len(document))
    return document[:place] + document[start:end] + document[place:]


def swap_tokens(document: bytes, rng: random.Random) -> bytes:
    tokens = list(TOKEN.finditer(document))
    if len(tokens) < 2:
        return document
    one, other = sorted(rng.sample(tokens, 2), key=lambda token: token.start())
    between = document[one.end() : other.start()]
    return document[: one.start()] + other[0] + between + one[0] + document[other.end() :]


def change_number(document: bytes, rng: random.Random) -> bytes:
    numbers = list(NUMBER.finditer(document))
    if not numbers:
        return document
    number = rng.choice(numbers)
    return document[: number.start()] + rng.choice(NUMBERS) + document[number.end() :]


def _chunk(document: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(document))
    return start, min(len(document), start + rng.randint(1, 2000))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    truncate,
    delete_chunk,
    duplicate_chunk,
    swap_tokens,
    change_number,
    change_number,  # twice as likely: it is what reaches the sizes of things
)
