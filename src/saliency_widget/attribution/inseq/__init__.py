"""The bridge to inseq: its methods that give right answers, run on networks of ours."""
