"""An app of a shop that has chat: one module for each example of the documentation."""
