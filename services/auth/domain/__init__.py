"""What auth decides, without input or output.

entities    accounts, sessions, API tokens, audit entries
errors      every refusal, by name
passwords   which passwords are good enough
limits      how failures slow the next attempt
audit       the hash chain
interfaces  what the use cases need from the outside
lookalikes  user names that look alike
sign_in     login, logout, refresh, password change
step_up     proving one's identity again
registration    who may register, and what an installation needs
one_time_links  reset links and invitations
create_user     accounts that administrators make
accounts    profiles and the administration of accounts
api_tokens  personal API tokens
"""
