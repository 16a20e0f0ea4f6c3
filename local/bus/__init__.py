"""An embedded Service Bus: AMQP 1.0 over real sockets, for unmodified clients."""
