"""A small Django project with chat: the one that ``make demo`` starts."""
