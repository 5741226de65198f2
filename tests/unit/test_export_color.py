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
const { plain, positive, negative } = makeRamp([255, 255, 255]);
const pairs = (swatches) => swatches.map(({ background, color }) => [background, color]);
console.log(JSON.stringify([plain, positive, negative].map(pairs)));
"""


def test_the_ramp_is_the_front_ends(tmp_path: Path):
    """All 195 colours and their inks, as js/src/color.ts has them on white: the saved map looks like the living one."""
    esbuild = ROOT / "node_modules/.bin/esbuild"
    assert esbuild.exists(), "The tools of the front end are not installed: run `make install`."
    subprocess.run(
        [esbuild, ROOT / "js/src/color.ts", "--format=esm", "--log-level=error", f"--outfile={tmp_path}/color.mjs"],
        check=True,
    )
    (tmp_path / "ramp.mjs").write_text(RAMP)
    said = subprocess.run(["node", tmp_path / "ramp.mjs"], capture_output=True, check=True).stdout
    for side, (sign, signed) in zip(json.loads(said), ((1, False), (1, True), (-1, True)), strict=True):
        theirs = [[css(tuple(map(int, re.findall(r"\d+", c)))) for c in pair] for pair in side]
        ours = [swatch(sign * step / STEPS, 1.0, signed=signed) for step in range(STEPS + 1)]
        assert [[s.background, s.ink] for s in ours] == theirs


def test_the_domain_is_clipped_and_symmetric():
    assert swatch(5.0, 1.0, signed=True) == swatch(1.0, 1.0, signed=True)
    assert swatch(-5.0, 1.0, signed=True) == swatch(-1.0, 1.0, signed=True)
    assert swatch(0.25, 0.5, signed=True) == swatch(0.5, 1.0, signed=True)
    assert swatch(-0.0, 1.0, signed=True) == swatch(0.0, 1.0, signed=True)


@pytest.mark.parametrize(("share", "largest"), [(math.nan, 1.0), (0.0, 0.0), (0.0, math.nan)])
def test_nothing_has_the_colour_of_the_paper(share, largest):
    assert swatch(share, largest, signed=True).background == css(PAPER)
    assert swatch(share, largest, signed=True).ink == css(INK)


def test_both_inks_can_be_read_on_every_box():
    """WCAG AA: 4.5."""
    boxes = [swatch(step / STEPS, 1.0, signed=True) for step in range(-STEPS, STEPS + 1)]
    boxes += [swatch(step / STEPS, 1.0, signed=False) for step in range(STEPS + 1)]
    for box in boxes:
        background, ink, quiet = (tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in box)
        assert contrast(background, ink) >= 4.5
        assert contrast(background, quiet) >= 4.5


def test_contrast_runs_from_1_to_21():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((80, 90, 100), (80, 90, 100)) == 1


def test_the_legend_spans_the_domain():
    assert legend(signed=False)[0] == legend(signed=True)[4] == css(PAPER)
    for signed in (False, True):
        assert legend(signed=signed)[-1] == swatch(1.0, 1.0, signed=signed).background
    assert legend(signed=True)[0] == swatch(-1.0, 1.0, signed=True).background
