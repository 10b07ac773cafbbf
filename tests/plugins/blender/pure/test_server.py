"""What the add-on says of its server."""

from __future__ import annotations

import pytest
from tween_blender.server import other_version


@pytest.mark.parametrize(
    ("name", "said"),
    [("tweenbridge 0.1.0", False), ("", False), ("tweenbridge 0.2.0", True), ("tweenbridge 0.1", True)],
)
def test_a_server_of_another_version_is_named_with_what_to_do(name: str, said: bool) -> None:
    clause = other_version(name, "0.1.0")
    assert bool(clause) is said
    assert not said or ("0.1.0" in clause and "tweenbridge install" in clause)
