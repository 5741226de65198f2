"""From whatever a user calls a model to one small interface; tokens; the demo model."""

import os

# torch's threads spin for a while before they sleep when they wait for each other. Where a browser and a notebook
# server want the cores too, the usual while makes a backward pass twenty times slower (22 s instead of 1 s, with two
# busy processes on two cores); this one costs nothing on a quiet machine. libgomp reads it when torch is first
# imported, which happens in here; whoever has chosen for themselves is left alone.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
