"""Tables and figures as values, and how each is drawn."""
