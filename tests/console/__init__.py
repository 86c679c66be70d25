"""The web console in a real browser, against a whole platform."""
