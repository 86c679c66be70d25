"""The images and deploy/compose.yaml in a real Docker: `make test-images`.

The images of this version are built and tagged (`proximity-<service>:<version>`); containers, networks and volumes have a
project of their own and are removed. Bases that are not in the daemon are pulled: python, postgres, nats, envoy.
"""
