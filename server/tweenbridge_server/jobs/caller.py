"""Who asks, and whose jobs that caller may see and change."""

from __future__ import annotations

from dataclasses import dataclass

_KEY = "key:"


def owner_with_key(name: str) -> str:
    """Whose the jobs are that come with the key of that name."""
    return _KEY + name


def key_of(owner: str) -> str | None:
    """The name of the key that an owner's jobs come with; None for programs of this machine's user."""
    return owner[len(_KEY) :] if owner.startswith(_KEY) else None


@dataclass(frozen=True)
class Caller:
    """One client as the services know it.

    Attributes:
        owner: whose the jobs are that it submits: the client's own name on this machine, else `owner_with_key`.
        rules: it sees and changes everybody's jobs, the models and the server: this machine's user, and administrators.
    """

    owner: str
    rules: bool = True

    def may_see(self, owner: str) -> bool:
        """Whether jobs of that owner are its business."""
        return self.rules or owner == self.owner

    @property
    def scope(self) -> str | None:
        """The one owner whose jobs it sees; None for everybody's."""
        return None if self.rules else self.owner
