"""Gathers what is found damaged: all of it counted, the first of it named."""

from __future__ import annotations

from libs.backup.reports import Damage


class Damages:
    """Memory does not grow with how much is damaged."""

    SHOWN = 20

    def __init__(self) -> None:
        self.first: list[Damage] = []
        self.count = 0

    def add(self, where: str, what: str) -> Damage:
        """One more, which is returned."""
        damage = Damage(where=where, what=what)
        self.count += 1
        if self.count <= self.SHOWN:
            self.first.append(damage)
        return damage
