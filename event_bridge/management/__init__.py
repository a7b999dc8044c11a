"""Management commands of the bridge."""
