"""The clients, against the document and real gateways."""
