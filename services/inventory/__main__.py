"""`python -m services.inventory serve | migrate | check-config | rotate-keys | poison-messages`."""

from services.inventory.server import run

if __name__ == "__main__":
    run()
