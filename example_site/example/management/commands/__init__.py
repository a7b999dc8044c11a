"""The commands ``demo`` and ``seed``."""
