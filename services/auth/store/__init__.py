"""Tables and all SQL of auth: tables, accounts, sessions, API tokens, attempts, revocations, signing keys, audit."""
