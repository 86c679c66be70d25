"""The gateway: Envoy's configuration, the REST side of errors, the OpenAPI document and the documentation pages.

Owns everything between a client and the services that is not a service: which paths exist, how JSON becomes gRPC,
what an error looks like, which limits a client meets. All of it is generated from the descriptor image of `protos`;
no path, method or access rule is written here. No service code belongs here: the gateway holds no state, decides
nothing about users beyond refusing tokens that are plainly bad, and every service verifies again by itself.

`python -m gateway render|check|openapi`; from Python `gateway.config.GatewaySettings` and `render_bootstrap`.
"""

import protos  # noqa: F401 - puts the generated code on the path
