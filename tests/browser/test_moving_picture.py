"""The moving picture of the README: a reader's first half minute, as a person would act it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .conftest import SHOTS
from .test_newcomer import STILL
from .test_quickstart import SHOW, run, token

pytestmark = [pytest.mark.browser, pytest.mark.demo]

MOST_BYTES = 3_000_000  # of a picture in a README
WIDTH = 1000  # of the page, in CSS pixels
HAND = """() => {
  const hand = document.createElement('div');
  hand.id = 'hand';
  hand.innerHTML = '<svg width="18" height="24" viewBox="0 0 18 24">'
    + '<path d="M1 1v18l5-4 4 8 3-2-4-7h7z" fill="#111" stroke="#fff" stroke-width="1.4"/></svg>';
  Object.assign(hand.style, { position: 'fixed', left: 0, top: 0, zIndex: 1e6, pointerEvents: 'none' });
  document.body.append(hand);
  addEventListener('mousemove', e => { hand.style.transform = `translate(${e.clientX}px, ${e.clientY}px)`; }, true);
}"""
# A moment of the movements that are under way, from 0 to 1; at 1 they end.
MOMENT = """moment => {
  for (const one of document.querySelector('.sw-live').getAnimations({ subtree: true })) {
    if (moment === 1) one.finish(); else { one.pause(); one.currentTime = moment * one.effect.getTiming().duration; }
  }
}"""


class Film:
    """Frames of a part of the page, each with the milliseconds that it stays."""

    def __init__(self, page: Any, clip: dict[str, float]) -> None:
        self._page, self._clip, self._at = page, clip, (5.0, 5.0)
        self.frames: list[tuple[Image.Image, int]] = []

    def take(self, milliseconds: int) -> Image.Image:
        """Take a frame; one that shows nothing new lengthens the last."""
        shot = Image.open(io.BytesIO(self._page.screenshot(clip=self._clip, scale="css"))).convert("RGB")
        if self.frames and self.frames[-1][0].tobytes() == shot.tobytes():
            milliseconds += self.frames.pop()[1]
        self.frames.append((shot, milliseconds))
        return shot

    def move(self, locator: Any, steps: int = 4) -> None:
        """Move the mouse to the middle of an element, with a frame for each step."""
        box = locator.bounding_box()
        to = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        (x, y), (dx, dy) = self._at, (to[0] - self._at[0], to[1] - self._at[1])
        for step in range(1, steps + 1):
            self._page.mouse.move(x + dx * step / steps, y + dy * step / steps)
            self.take(60)
        self._at = to

    def save(self, path: Path) -> None:
        """Save the film as an animated WebP without loss that begins again at its end."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (first, *rest), lengths = [frame for frame, _ in self.frames], [length for _, length in self.frames]
        first.save(
            path,
            save_all=True,
            append_images=rest,
            duration=lengths,
            loop=0,
            lossless=True,
            method=6,
            minimize_size=True,
        )


@pytest.mark.parametrize("theme", ["Light", pytest.param("Dark", marks=pytest.mark.long)])
def test_a_moving_picture_of_hover_strike_out_and_another_word(desk: Any, theme: str) -> None:
    """Hover Washington, strike out George: the bar falls, others come; click one, and the sentence goes on from it."""
    nb = desk
    nb.begin(SHOW)
    nb.command("application:toggle-left-area", wait=True)
    nb.resize(WIDTH, 760)
    nb.theme(f"JupyterLab {theme}")
    view = run(nb)
    nb.page.evaluate(HAND)
    nb.page.evaluate("() => document.activeElement.blur()")
    box = view.bounding_box()
    film = Film(nb.page, {"x": box["x"], "y": box["y"] - 13, "width": box["width"], "height": 320})
    film.take(1200)
    film.move(view.locator(".sw-column").first)
    view.get_by_role("tooltip").wait_for()
    film.take(1600)
    view.locator(".sw-column").first.click()
    film.move(token(view, 8))
    strike = view.locator(".sw-strike")
    strike.wait_for()
    film.take(900)
    film.move(strike, steps=1)  # the card waits for a hand, not for a picture of each step
    before = film.take(500)
    strike.click()
    view.locator(".sw-effect").wait_for()
    for moment in (0.0, 0.25, 0.5, 0.75, 1.0):
        nb.page.evaluate(MOMENT, moment)
        film.take(90)
    film.move(view.locator(".sw-effect"))
    nb.page.evaluate(STILL)
    after = film.take(2200)
    assert before.tobytes() != after.tobytes()
    chip = view.locator(".sw-alternative").first
    film.move(chip)
    film.take(500)
    chip.click()
    write = view.get_by_role("menuitem", name="Write")
    write.wait_for()
    film.take(700)
    film.move(write)
    film.take(400)
    write.click()
    view.locator(".sw-trail button").nth(1).wait_for()
    nb.code("w.wait()")
    view.locator(".sw-progress").wait_for(state="detached")
    film.move(view.locator(".sw-drawers"))
    last = film.take(2600)
    assert last.tobytes() != after.tobytes()
    path = SHOTS / f"moving-{theme.lower()}.webp"
    film.save(path)
    assert path.stat().st_size < MOST_BYTES
    with Image.open(path) as saved:
        assert 15 < saved.n_frames < 60
    nb.page.evaluate("() => document.querySelector('#hand').remove()")
    nb.command("application:toggle-left-area", wait=True)
    nb.theme("JupyterLab Light")
