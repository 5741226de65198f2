from __future__ import annotations

import json
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest
from grimp import build_graph

SCRIPT = """
import sys
before = set(sys.modules)
import saliency_widget
import json
new = {name.partition(".")[0] for name in set(sys.modules) - before}
ours = [name for name in sys.modules if name.partition(".")[0] == "saliency_widget"]
print(json.dumps({"new": sorted(new), "ours": ours}))
"""


def test_importing_is_quick_and_loads_nothing_heavy():
    """One module of ours, and what comes with Python; torch and all other packages come when they are used."""
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True).stdout
    found = json.loads(said)
    assert found["ours"] == ["saliency_widget"]
    assert set(found["new"]) - {"saliency_widget"} <= sys.stdlib_module_names


def test_every_public_name_is_there():
    import saliency_widget

    assert sorted(saliency_widget.__all__) == saliency_widget.__all__
    assert set(saliency_widget.__all__) <= set(dir(saliency_widget))
    for name in saliency_widget.__all__:
        assert getattr(saliency_widget, name).__name__ == name


def test_importing_leaves_a_choice_of_the_user_alone():
    """The spinning of torch's threads is set before torch is there, but only if nobody has set it."""
    script = "import saliency_widget, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    base = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    said = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, check=True, env=base | mine, text=True
        ).stdout
        for mine in ({}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"})
    ]
    assert [s.strip() for s in said] == ["20000", "7", "None"]


def test_no_two_files_know_each_other():
    """Imports have no cycle, also not for types or inside functions."""
    graph = build_graph("saliency_widget", exclude_type_checking_imports=False)
    files = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(files) > 100
    order = list(TopologicalSorter(files).static_order())
    assert order.index("saliency_widget.errors") < order.index("saliency_widget.controller")
    with pytest.raises(CycleError):
        list(TopologicalSorter(files | {"saliency_widget.errors": {"saliency_widget.controller"}}).static_order())
