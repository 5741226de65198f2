"""Every text architecture of the installed transformers, every method, against plain passes of transformers alone.

`python -m tests.sweep --help` says how it is run. The modules, in the order in which they know each other:
`sizes` (facts: names of config fields and how small they get), `building` (tiny random models of any architecture),
`references` (maps computed without a line of ours), `judging` (one cell: a method on a model), `workers` (cells in a
process of their own, with a time limit), `table` (the result as Markdown and JSON).
"""
