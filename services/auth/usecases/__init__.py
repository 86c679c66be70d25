"""One function per RPC, named after it; modules are named after a resource or an RPC.

A function takes the dependencies of its module, frozen values and keywords, and refuses with an error of the domain.
Functions beside them are what several use cases share (`begin_session`, `check_password`).
"""
