"""One function per RPC, named after it; modules are named after a resource or an RPC."""
