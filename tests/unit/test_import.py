from __future__ import annotations

import json
import os
import subprocess
import sys

SCRIPT = """
import json, sys, time
start = time.perf_counter()
import saliency_widget
took = time.perf_counter() - start
heavy = {"torch", "transformers", "ipywidgets", "anywidget", "pandas", "inseq", "openai", "numpy"}
print(json.dumps({"took": took, "heavy": sorted(heavy & set(sys.modules)), "names": saliency_widget.__all__}))
"""


def imported() -> dict:
    return json.loads(subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True).stdout)


def test_importing_is_quick_and_loads_nothing_heavy():
    """Under 0.3 s, the best of three fresh interpreters; torch and the rest come when they are used."""
    runs = [imported() for _ in range(3)]
    assert min(run["took"] for run in runs) < 0.3
    assert runs[0]["heavy"] == []


def test_every_public_name_is_there():
    import saliency_widget

    assert sorted(saliency_widget.__all__) == saliency_widget.__all__
    assert set(saliency_widget.__all__) <= set(dir(saliency_widget))
    for name in saliency_widget.__all__:
        assert getattr(saliency_widget, name).__name__ == name


def test_importing_leaves_a_choice_of_the_user_alone():
    """How long torch's threads spin is set before torch is there, but only where nobody has set it."""
    script = "import saliency_widget, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    base = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    said = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, check=True, env=base | mine, text=True
        ).stdout
        for mine in ({}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"})
    ]
    assert [s.strip() for s in said] == ["20000", "7", "None"]
