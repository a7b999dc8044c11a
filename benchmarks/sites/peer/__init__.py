"""A project with the peer package, beside which this one is measured."""
