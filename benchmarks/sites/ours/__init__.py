"""The project that is measured: the package with its defaults."""
