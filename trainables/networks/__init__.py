"""Recurrent networks: embedding, cells, encoder, head."""
