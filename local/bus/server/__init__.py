"""Connections, sessions and links of AMQP 1.0 over sockets."""
