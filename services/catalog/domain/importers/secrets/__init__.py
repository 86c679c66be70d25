"""Secrets in imported definitions: their recognition, their forms and their replacement by generated values."""
