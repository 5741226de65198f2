"""The access to a toy network: exactly the members that a test gives."""

from __future__ import annotations

from typing import Any

from saliency_widget.attribution.access import Access


def allowing(**given: Any) -> Access:
    """`allowing(baselines={…}, plain=lambda n: …)`: an access with these members, see `Access`."""
    members = {name: staticmethod(what) if callable(what) else what for name, what in given.items()}
    made: Access = type("Toy", (Access,), members)()
    return made
