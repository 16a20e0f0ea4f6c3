"""Small pieces of public standards: RFC 7515, RFC 9110, RFC 9457 and W3C Trace Context."""
