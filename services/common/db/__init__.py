"""One database per service: engines, transactions, compiled queries, migrations, probes."""
