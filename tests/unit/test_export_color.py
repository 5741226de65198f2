from __future__ import annotations

import math

import pytest

from saliency_widget.export.color import INK, PAPER, STEPS, contrast, css, legend, swatch


@pytest.mark.parametrize(
    ("step", "background"),
    [(-64, (179, 92, 41)), (-32, (221, 173, 149)), (-1, (254, 252, 252)), (0, (255, 255, 255)), (1, (252, 253, 254)),
     (16, (204, 221, 245)), (48, (104, 154, 220)), (64, (51, 119, 205))],
)  # fmt: skip
def test_the_ramp_is_the_front_ends(step, background):
    """What js/src/color.ts gives on white, so that the saved map looks like the living one."""
    assert swatch(step / STEPS, 1.0).background == css(background)


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
