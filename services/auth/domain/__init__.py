"""What auth decides, without input or output.

entities    accounts, sessions, API tokens, audit entries
errors      every refusal, by name
passwords   which passwords are good enough
limits      how failures slow the next attempt
audit       the hash chain
interfaces  what the use cases need from the outside
sign_in     login, logout, registration, refresh, password change
accounts    profiles and the administration of accounts
api_tokens  personal API tokens
"""
