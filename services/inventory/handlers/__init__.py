"""RPC handlers of the inventory: parse the request, call one use case, render its outcome."""
