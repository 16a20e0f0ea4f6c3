"""An HTTP function that does nothing: what the host costs by itself."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route("messages", methods=["POST"])
async def accept(req: func.HttpRequest) -> func.HttpResponse:
    """Answer as the sender does, and do nothing."""
    del req
    return func.HttpResponse(status_code=202)
