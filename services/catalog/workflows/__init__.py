"""Long operations of the catalog."""
