"""Apps as the service apps offers them to other services: locking an app for an operation, probing, planning.

Modules, from the lowest layer to the highest:
    values      frozen values
    errors      refusals that callers have too
    interface   the Protocol that use cases and workflows depend on
    client      the Protocol `Apps` over gRPC
    deployments the Protocol `Deployments` over gRPC
"""
