"""How the platform is put to work: on one machine, in containers, on a cluster."""
