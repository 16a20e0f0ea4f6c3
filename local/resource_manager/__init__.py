"""What Azure Resource Manager and the resource providers behind it refuse.

Written from public reports and Microsoft's own documents, because nothing that can be installed
checks it: each rule names its source. Pure: a snapshot goes in, refusals come out.
"""
