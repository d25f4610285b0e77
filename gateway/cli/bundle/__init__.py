"""Run bundles: one attempt in one archive, written from the gateway, replayed without a model."""
