"""The quarantine: files and S3 objects taken out of their place, with what it needs to put them back
exactly.
"""
