"""From routes and what documents them to the OpenAPI document."""
