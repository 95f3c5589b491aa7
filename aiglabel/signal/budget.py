"""How hard a detector searches a picture: the effort, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Budget:
    """How much is looked at.

    Attributes
    ----------
    octaves : int
        Planes of the lattice search, each half the size of the one before; 0 for no search.
    lattices : int
        Lattices that stand out, checked with the key.
    closer : int
        Places polished and registered, of all keys together, besides the picture as it is.
    windows : int
        Planes of the lattice search whose windows are searched too, besides those of the picture
        as it is: views from the side.
    bent : float
        Least height of the peak of a bent plane at which it is registered.
    guesses : int
        Further lattices checked with the key, besides the upright ones.
    older : bool
        Whether marks of the first format are looked for too.
    """

    octaves: int
    lattices: int
    closer: int
    windows: int
    bent: float
    guesses: int
    older: bool


EFFORTS: Final[dict[str, Budget]] = {
    "quick": Budget(octaves=0, lattices=0, closer=0, windows=0, bent=0.0, guesses=0, older=False),
    "full": Budget(octaves=4, lattices=40, closer=1, windows=1, bent=4.7, guesses=600, older=False),
    "thorough": Budget(
        octaves=5, lattices=160, closer=4, windows=3, bent=0.0, guesses=6000, older=True
    ),
}
DEFAULT_EFFORT: Final = "full"
