"""The runtime's end of a terminal host: session, link, records, output, strays, ending."""
