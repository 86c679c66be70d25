"""What the platform writes for Docker Compose, read by the real one."""
