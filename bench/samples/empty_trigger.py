"""A Service Bus trigger that does nothing: what the host costs by itself."""

import azure.functions as func

app = func.FunctionApp()


@app.service_bus_queue_trigger(
    arg_name="message",
    queue_name="%RELAY_QUEUE_MESSAGES%",
    connection="RELAY_BUS",
    data_type=func.DataType.BINARY,
)
async def take(message: func.ServiceBusMessage) -> None:
    """Take a message."""
    del message
