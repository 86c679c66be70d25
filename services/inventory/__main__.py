"""`python -m services.inventory serve | work | migrate | check-config`."""

from services.inventory.server import run

if __name__ == "__main__":
    run()
