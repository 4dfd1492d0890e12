"""What every action shares: contract, handler, errors, clients, settings and the guards of files and HTTP.

It knows no action by name and opens no connection when it is imported.
"""
