"""The REST contract, a case file for each RPC, through a whole stack: Envoy, NATS, every service, a simulated Proxmox."""
