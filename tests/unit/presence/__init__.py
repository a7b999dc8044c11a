"""The parts of presence, each by itself."""
