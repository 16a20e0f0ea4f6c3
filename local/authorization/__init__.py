"""Who may do what, by roles and access policies, and the audit log of what was decided."""
