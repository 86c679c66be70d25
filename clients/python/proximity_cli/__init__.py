"""The command line: what people do with the platform, over gRPC through the gateway.

session      where the platform is and who is signed in, stored in a file
connection   a channel and its stubs: TLS, tokens, retries
failures     errors of gRPC as sentences and exit statuses
following    long work as it happens, with a progress bar
output       tables, JSON
accounts, users, apps, backups, catalog, hosts: the commands
"""
