"""The wire format of AMQP 1.0: values, frames, performatives and messages, without I/O."""
