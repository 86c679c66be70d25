"""Work that inventory does by itself, one module per job."""
