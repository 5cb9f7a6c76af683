"""Recurrent networks over texts: embedding, cells, encoder, head."""
