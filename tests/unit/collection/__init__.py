"""The Ansible collection, without a platform."""
