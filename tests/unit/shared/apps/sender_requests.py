"""Requests as the Functions host hands them to the sender."""

from __future__ import annotations

import azure.functions as func

KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(body: bytes = b"payload", /, **headers: str) -> func.HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpRequest("POST", "/api/messages", headers=named, body=body)
