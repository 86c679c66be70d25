"""Docker inside a guest: images, containers, compose."""
