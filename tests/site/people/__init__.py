"""A user model as unlike Django's own as projects have them."""
