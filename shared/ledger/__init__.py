"""The ledger of messages in a SQL database; it never holds a payload."""
