"""Models and their tokens: loading, the demo model, segmentation, and one small interface over transformers."""
