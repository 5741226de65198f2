"""From whatever a user calls a model to one small interface; tokens; the demo model."""

import os

# torch's threads spin while they wait for each other. Where a browser and a notebook server want the cores too, that
# makes a backward pass ten to eighty times slower (measured: 22 s instead of 1.7 s); asleep they lose nothing.
# It is read when torch is first imported, which happens in here; who has chosen for themselves is left alone.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
