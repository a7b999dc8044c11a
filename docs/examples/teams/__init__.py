"""An app whose rooms have a colour."""
