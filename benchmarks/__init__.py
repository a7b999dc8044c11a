"""The benchmark: the package beside the floor, the Channels tutorial and a peer.

`make bench` runs all of it; `docs/benchmarks.md` says what is measured and how.
"""
