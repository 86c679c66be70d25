"""Search and lists: the index of everything published, its groups of variants and the trigram index."""
