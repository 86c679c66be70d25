"""Interfaces that services offer each other: values, Protocols and gRPC clients, one package for each service.

Packages of clients import `services.common` and no service. Callers depend on `interface` and `values`, which do no I/O;
only a composition root constructs a `client`. Methods carry the names of the RPCs that they call.
"""
