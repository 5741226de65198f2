from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path

import pytest

from saliency_widget.export.color import INK, PAPER, STEPS, contrast, css, legend, swatch

ROOT = Path(__file__).parents[2]


RAMP = """
import { makeRamp } from "./color.mjs";
console.log(JSON.stringify(makeRamp([255, 255, 255]).swatches.map(({ background, color }) => [background, color])));
"""


def test_the_ramp_is_the_front_ends(tmp_path: Path):
    """All 129 colours and their inks, as js/src/color.ts has them on white: the saved map looks like the living one."""
    esbuild = ROOT / "node_modules/.bin/esbuild"
    assert esbuild.exists(), "The tools of the front end are not installed: run `make install`."
    subprocess.run(
        [esbuild, ROOT / "js/src/color.ts", "--format=esm", "--log-level=error", f"--outfile={tmp_path}/color.mjs"],
        check=True,
    )
    (tmp_path / "ramp.mjs").write_text(RAMP)
    said = subprocess.run(["node", tmp_path / "ramp.mjs"], capture_output=True, check=True).stdout
    theirs = [[css(tuple(map(int, re.findall(r"\d+", c)))) for c in pair] for pair in json.loads(said)]
    ours = [swatch(step / STEPS, 1.0) for step in range(-STEPS, STEPS + 1)]
    assert [[s.background, s.ink] for s in ours] == theirs


def test_the_domain_is_clipped_and_symmetric():
    assert swatch(5.0, 1.0) == swatch(1.0, 1.0)
    assert swatch(-5.0, 1.0) == swatch(-1.0, 1.0)
    assert swatch(0.25, 0.5) == swatch(0.5, 1.0)
    assert swatch(-0.0, 1.0) == swatch(0.0, 1.0)


@pytest.mark.parametrize(("share", "largest"), [(math.nan, 1.0), (0.0, 0.0), (0.0, math.nan)])
def test_nothing_has_the_colour_of_the_paper(share, largest):
    assert swatch(share, largest).background == css(PAPER)
    assert swatch(share, largest).ink == css(INK)


def test_both_inks_can_be_read_on_every_box():
    """WCAG AA: 4.5."""
    for step in range(-STEPS, STEPS + 1):
        background, ink, quiet = (tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in swatch(step / STEPS, 1.0))
        assert contrast(background, ink) >= 4.5
        assert contrast(background, quiet) >= 4.5


def test_contrast_runs_from_1_to_21():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((80, 90, 100), (80, 90, 100)) == 1


def test_the_legend_spans_the_domain():
    assert legend(signed=False)[0] == legend(signed=True)[4] == css(PAPER)
    assert legend(signed=False)[-1] == legend(signed=True)[-1] == swatch(1.0, 1.0).background
    assert legend(signed=True)[0] == swatch(-1.0, 1.0).background
