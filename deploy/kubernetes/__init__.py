"""Manifests for Kubernetes, made from the protos and this folder: `python -m deploy.kubernetes` writes base/."""
