"""An embedded Key Vault: the data plane of keys and secrets over HTTP."""
