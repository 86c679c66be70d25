"""Tests of backups that need no database."""
