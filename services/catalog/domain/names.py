"""Recognition of secrets by the names of variables."""

from __future__ import annotations

import re

# Parts of names that collections use for passwords and keys; a false hit only makes an input a password field.
_SECRET_NAME = re.compile(
    r"PASS|SECRET|TOKEN|PRIVATE|CREDENTIAL|(API|APP|AUTH|MASTER|SIGNING|ENCRYPTION)_?KEY|_KEY$|^KEY$|(^|_)SALT$|_DSN$"
    r"|PW$|(^|_)PWD$|(^|_)JWT$",
    re.IGNORECASE,
)
# Names of what is no password, so that none can be generated for it, and may hold one.
_SENSITIVE_NAME = re.compile(
    r"KEYS?$|LICEN[CS]E|(^|_)(PAT|PIN|SALT|COOKIE|JWT|AUTH|DSN|SEED|SIGNATURE|WEBHOOK(_URL)?|OPTS|OPTIONS)$"
    r"|BASIC_?AUTH|CONN(ECTION)?_?(STR|STRING|URL|URI)|(DATABASE|DB|REDIS|MONGO(DB)?|POSTGRES(QL)?|PG|MYSQL|MARIADB|AMQP"
    r"|RABBITMQ|BROKER|CACHE|SMTP|MAIL(ER)?|SENTRY|LDAP|S3|ELASTIC(SEARCH)?|CELERY\w*)_?(URL|URI|DSN)$|RCLONE|CERT(IFICATE)?$",
    re.IGNORECASE,
)
# `TOKEN_LIFETIME` and `SECRET_FILE` are settings about a secret.
_ABOUT_SECRETS = re.compile(
    r"_(USERS?|USERNAMES?|EMAIL|HOST|PORT|ENABLED?|DISABLED?|REQUIRED|FILE|PATH|DIR|TIMEOUT|TTL|EXPIR[A-Z]*|LIFETIME"
    r"|LENGTH|SECONDS|MINUTES|HOURS|DAYS|ALGORITHM|ISSUER|HEADER|POLICY|TYPE|ROUNDS)$",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Return whether a variable of that name is a secret, by the name alone."""
    return bool(_SECRET_NAME.search(name)) and not _ABOUT_SECRETS.search(name)


def is_sensitive_name(name: str) -> bool:
    """Return whether a variable of that name may contain a secret: an address with a password, a license, a key."""
    return is_secret_name(name) or (bool(_SENSITIVE_NAME.search(name)) and not _ABOUT_SECRETS.search(name))
